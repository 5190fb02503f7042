"""/metrics: who may read it, and that it names views and states, never paths or people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client, override_settings

from safercities.hub.figures.current import POINTER
from safercities.hub.models import Job, Observatory
from safercities.hub.published import index

pytestmark = pytest.mark.usefixtures("wired", "db")


def value(text: str, name: str, **labels: str) -> float:
    """Value of a line."""
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and all(f'{key}="{wanted}"' in (found[1] or "") for key, wanted in labels.items()):
            return float(found[2])
    return 0.0


def read(client: Client) -> str:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return answer.content.decode()


def test_requests_are_counted_by_view_and_unknown_addresses_share_one_name(client: Client) -> None:
    before = read(client)
    client.get("/healthz")
    client.get("/healthz?secret=1")
    client.get("/somebody@example.org/")
    after = read(client)
    labels = {"view": "healthz", "method": "GET", "status": "200"}
    name = "safercities_requests_total"
    assert value(after, name, **labels) - value(before, name, **labels) == 2
    assert value(after, "safercities_request_seconds_count", view="healthz") >= 2
    assert value(after, name, view="none", status="404") > value(before, name, view="none", status="404")
    assert "example.org" not in after
    assert "secret" not in after


def test_strange_methods_make_no_lines_of_their_own(client: Client) -> None:
    client.generic("BREW", "/healthz")
    assert "BREW" not in read(client)


def test_jobs_and_the_age_of_figures(client: Client, city: Observatory) -> None:
    Job.objects.create(observatory=city, kind=Job.Kind.CHECK)
    Job.objects.create(observatory=city, kind=Job.Kind.CHECK, state=Job.State.FAILED)
    Job.objects.create(observatory=city, kind=Job.Kind.CHECK, state=Job.State.FAILED)
    text = read(client)
    assert value(text, "safercities_jobs", state="failed") == 2
    assert value(text, "safercities_jobs", state="waiting") == 1
    assert 'safercities_jobs{state="running"} 0.0' in text
    assert "safercities_figures_age_seconds{" not in text
    pointer: Path = index(city) / POINTER
    pointer.parent.mkdir(parents=True)
    pointer.write_text("a.1\n")
    assert value(read(client), "safercities_figures_age_seconds", observatory="city") < 60


def test_other_machines_get_nothing(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404


@override_settings(REACHED_BY_OTHERS=True)
def test_where_others_reach_the_hub_nobody_does_without_a_word(client: Client) -> None:
    """Behind a proxy that was not named, every visitor seems to be this machine."""
    assert client.get("/metrics").status_code == 404


@override_settings(METRICS_TOKEN="the right word", REACHED_BY_OTHERS=True)
def test_with_a_word_only_those_who_have_it_from_anywhere(client: Client) -> None:
    right = {"HTTP_AUTHORIZATION": "Bearer the right word"}
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7", **right).status_code == 200
    for wrong in ({}, {"HTTP_AUTHORIZATION": "Bearer the wrong word"}, {"HTTP_AUTHORIZATION": "Basic the right word"}):
        assert client.get("/metrics", **wrong).status_code == 404
    assert client.post("/metrics", **right).status_code == 405
