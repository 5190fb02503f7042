"""Completes the OpenAPI document: formats of answers, problems, tokens, bodies that are files."""

from __future__ import annotations

from typing import Any

from ninja.openapi.schema import OpenAPISchema
from pydantic.json_schema import models_json_schema

from safercities.hub.api import problems, schemas
from safercities.hub.api.shelf import MEDIA_TYPES
from safercities.hub.figures import WRITERS
from safercities.hub.models import Scope
from safercities.release.manifest import FILES

_REF = "#/components/schemas/{model}"
_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
#: Problems of every endpoint, of those with parameters besides the name, and of those that change something.
_ALL = (400, 404, 429, 500, 503)
_CHANGES = (401, 403)


def completed(document: OpenAPISchema) -> OpenAPISchema:
    """The document, whole."""
    components: dict[str, Any] = document["components"]
    _, defined = models_json_schema([(schemas.Problem, "serialization")], ref_template=_REF)
    components.setdefault("schemas", {}).update(defined["$defs"])
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": f"A token of the workbench, with scopes: {', '.join(Scope.values)}.",
        }
    }
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(method, operation)
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    changes = method != "get" or operation["operationId"] in ("webhooks",)
    operation["security"] = [{"token": []}] if changes else [{}, {"token": []}]
    statuses = {*_ALL, *(_CHANGES if changes else (304,)), *_OWN.get(operation["operationId"], ())}
    for status in sorted(statuses):
        operation["responses"].setdefault(status, _problem(status))
    if operation["operationId"] in _BODIES:
        _BODIES[operation["operationId"]](operation)


def _problem(status: int) -> dict[str, Any]:
    if status == 304:
        return {"description": "Not modified"}
    codes = [code for code, (number, _) in problems.CODES.items() if number == status]
    schema = {"$ref": _REF.format(model="Problem")}
    return {"description": f"Codes: {', '.join(codes)}", "content": {problems.MEDIA_TYPE: {"schema": schema}}}


#: Further statuses of some operations.
_OWN: dict[str, tuple[int, ...]] = {
    "estimates": (406,),
    "hand_in_release": (409, 411, 413, 415, 422),
    "make_webhook": (409, 415),
}


def _estimates(operation: dict[str, Any]) -> None:
    content = operation["responses"][200]["content"]
    for writer in WRITERS.values():
        content.setdefault(writer.media_type, {"schema": dict(_FILE)})
    operation["parameters"].append(
        {
            "name": "dim.sex",
            "in": "query",
            "required": False,
            "description": "One such parameter for each breakdown of the observatory, as `dim.sex=F`; several times "
            "for several codes. Which breakdowns there are, `choices` says.",
            "schema": {"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 100},
        }
    )


def _file(operation: dict[str, Any]) -> None:
    kinds = dict.fromkeys(MEDIA_TYPES.values())
    operation["responses"][200]["content"] = {
        kind: {"schema": {"type": "object"} if kind == "application/json" else dict(_FILE)} for kind in kinds
    }


def _hand_in(operation: dict[str, Any]) -> None:
    files = {"type": "object", "properties": dict.fromkeys(FILES, _FILE), "required": [*FILES]}
    archive = {"type": "object", "properties": {"release": _FILE}, "required": ["release"]}
    form = {"oneOf": [one | {"additionalProperties": False} for one in (files, archive)]}
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/zip": {"schema": dict(_FILE)},
            "multipart/form-data": {"schema": form},
        },
    }


_BODIES = {"estimates": _estimates, "release_file": _file, "hand_in_release": _hand_in}
