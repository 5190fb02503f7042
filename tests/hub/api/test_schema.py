"""The OpenAPI document: right in itself, and what the API really does, asked by schemathesis in-process."""

from __future__ import annotations

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import positive_data_acceptance
from schemathesis.generation import GenerationMode

from safercities.hub.api.main import api
from safercities.hub.models import Release, Role, Token, Webhook

#: Of each operation and mode. Bounded: this is a test of every day, not a search.
EXAMPLES = 12
#: What OpenAPI cannot say: an order needs an indicator, a cursor comes from a page before, a release is signed.
RELATED = {"estimates", "hand_in_release"}


@pytest.fixture
def asked(filled, make_user, settings):
    """The document as it is served, and headers of somebody who may do everything."""
    settings.OPTIONS = settings.OPTIONS | {"RATE_PUBLIC": "1000000/m", "RATE_TOKEN": "1000000/m"}
    _, word = Token.make(make_user("admin", Role.HUB_ADMIN), "t", ["read:private", "submit:release", "manage:webhooks"])
    Webhook.objects.create(observatory=filled, url="https://example.org/", events=["release.published"])
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app=get_wsgi_application())
    return schema, {"Authorization": f"Bearer {word}"}


def place(case, number: int) -> None:
    """Half of the examples ask for what there is."""
    there = {"slug": "city", "number": Release.objects.last().number, "code": "sdg.16.1.1", "place": "CO-MDE"}
    for name, value in there.items():
        if number % 2 and name in (case.path_parameters or {}):
            case.path_parameters[name] = value


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_the_api_does_what_its_document_says(asked, mode):
    schema, headers = asked
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    for operation in operations:
        if mode is GenerationMode.POSITIVE or operation.query or operation.path_parameters or operation.body:
            asking(operation, mode, headers)()


def asking(operation, mode, headers):
    """Asks one operation a few things, and looks whether the answers are what the document says."""
    count = iter(range(10_000))
    left = [positive_data_acceptance] if operation.definition.raw["operationId"] in RELATED else []

    @seed(5)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        if mode is GenerationMode.POSITIVE:
            place(case, next(count))
        case.call_and_validate(headers=headers, excluded_checks=left)

    return ask


def test_every_operation_is_described_and_has_its_problems():
    document = api.get_openapi_schema()
    assert document["openapi"].startswith("3.1")
    ids = set()
    for path in document["paths"].values():
        for operation in path.values():
            ids.add(operation["operationId"])
            assert operation["summary"]
            assert operation["description"]
            assert "application/problem+json" in operation["responses"][404]["content"]
            assert all(one.get("description") for one in operation["parameters"])
    assert {"estimates", "releases", "hand_in_release", "make_webhook", "choices"} <= ids
