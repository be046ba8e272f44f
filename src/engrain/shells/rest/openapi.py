"""The service described: one operation for each verb and method, made from the table of verbs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI

from engrain.model.exchange import Imported
from engrain.shells.fields import Field
from engrain.shells.rest.memory import EXPORT, IMPORT, MEDIA
from engrain.shells.rest.service import is_paged
from engrain.shells.schema import input_schema, output_schema
from engrain.shells.verb import Verb

# What the fields of the table are called most often, filled in as somebody would.
EXAMPLES: dict[str, Any] = {
    "content": "The staging database is reset every Sunday night.",
    "kind": "fact",
    "key": "staging-reset",
    "tags": ["ops"],
    "query": "when is staging reset?",
    "task_type": "test-generation",
    "state": {"language": "python"},
    "options": ["template", "from-examples"],
    "action": "template",
    "success": True,
    "evidence": "executed",
    "value": {"seen": 3},
    "name": "ci",
    "rows": [],
}
_DETAILS = {
    "400": "The request cannot be read.", "401": "There is no key, or none that is good.",
    "403": "The key does not give the right to this.", "404": "There is no such thing in the caller's scope.",
    "405": "Another method is meant.", "408": "The body did not come in time.",
    "409": "The first request with this Idempotency-Key is running, or was lost.",
    "413": "The request is too large.", "415": "The body is not JSON.",
    "422": "A value is refused; nothing was changed.", "429": "Too many requests a minute.",
    "500": "A fault of the service.", "503": "The service or its store is busy or not reachable.",
    "507": "There is no room left.",
}  # fmt: skip
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_SCHEMAS: dict[str, Any] = {"Problem": _PROBLEM}
_HEADERS = (
    ("X-Engrain-Tenant", "The tenant that is meant, where the key does not say it; percent-encoded."),
    ("X-Engrain-Team", "The team that the agent joins; percent-encoded."),
)


def path_of(verb: Verb) -> str:
    """Where a verb is: ``/v1/agents/{agent}/kv/get``, ``/v1/stats``."""
    return ("/v1/" if verb.admin else "/v1/agents/{agent}/") + verb.name.replace(" ", "/")


def operation(verb: Verb, method: str, path: str, kinds: Collection[str]) -> dict[str, Any]:
    """What FastAPI is told of a verb under one method and path, which may name arguments."""
    named = [one.name for one in verb.fields if f"{{{one.name}}}" in path]
    fields = [one for one in verb.fields if one.name not in named]
    parameters = [_header(*one) for one in _HEADERS[: 1 if verb.admin else 2]]
    extra: dict[str, Any] = {}
    parts = [*([] if verb.admin else ["agent"]), *named]
    parameters += [_in_path(name) for name in parts]
    if method == "GET":
        parameters += [_parameter(one, kinds) for one in fields]
    else:
        schema = input_schema(fields, kinds)
        for name in schema["properties"].keys() & EXAMPLES.keys():
            schema["properties"][name]["examples"] = [EXAMPLES[name]]
        given = {one.name: EXAMPLES[one.name] for one in fields if one.name in EXAMPLES and one.required}
        body = {"schema": schema, **({"example": given} if given else {})}
        extra["requestBody"] = {"content": {"application/json": body}, "required": bool(schema["required"])}
        if not verb.reads:
            told = "Names this request: sent again with the same key within 24 hours it is answered the same, not done."
            parameters.append(_header("Idempotency-Key", told, maxLength=255))
    return {
        "operation_id": f"{method.lower()}{path.replace('{', '').replace('}', '').replace('/', '-')}",
        "summary": verb.help,
        "tags": ["home" if verb.admin else "agents"],
        "openapi_extra": {"parameters": parameters, **extra},
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": _answer(verb)}}},
            **_problems(*_DETAILS),
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 128}
    example = "worker" if name == "agent" else "01m7zdf7f72cv74z614m5a7gtf"
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _parameter(field: Field, kinds: Collection[str]) -> dict[str, Any]:
    schema = field.schema(kinds)
    found: dict[str, Any] = {"name": field.name, "in": "query", "required": field.required}
    found["description"] = schema.pop("description")
    if field.type in ("object", "json"):
        return {**found, "content": {"application/json": {"schema": schema}}}
    return {**found, "schema": schema, **({"example": EXAMPLES[field.name]} if field.name in EXAMPLES else {})}


def _header(name: str, told: str, **limits: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": told,
        "schema": {"type": "string", "minLength": 1, **limits},
    }


def _answer(verb: Verb) -> dict[str, Any]:
    schema = output_schema(verb.returns, "#/components/schemas/{model}")
    _SCHEMAS.update(schema.pop("$defs", {}))
    if is_paged(verb):
        schema["properties"]["next"] = {"type": ["string", "null"], "description": "What `after` is for the next page."}
    return schema


def _imported() -> dict[str, Any]:
    schema = output_schema(Imported, "#/components/schemas/{model}")
    _SCHEMAS.update(schema.pop("$defs", {}))
    return schema


def _problems(*statuses: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _DETAILS[status], "content": content} for status in statuses}


_FILE: dict[str, Any] = {
    media.partition(";")[0]: {"schema": {}} for media in (*MEDIA.values(), "application/octet-stream")
}
OWN: dict[str, dict[str, Any]] = {
    "/api/memory/export/{agent}": {
        "operation_id": "export",
        "summary": "Everything that an agent remembers, as one file.",
        "tags": ["agents"],
        "responses": {
            "200": {"description": "The file.", "content": _FILE},
            **_problems("400", "401", "403", "405", "422", "429", "500", "503"),
        },
        "openapi_extra": {
            "parameters": [_in_path("agent"), *(_parameter(one, ()) for one in EXPORT), _header(*_HEADERS[0])],
        },
    },
    "/api/memory/import/{agent}": {
        "operation_id": "import",
        "summary": "Take in what an export wrote, or another memory; the body is the file.",
        "tags": ["agents"],
        "responses": {
            "200": {"description": "Counts.", "content": {"application/json": {"schema": _imported()}}},
            **_problems("400", "401", "403", "405", "408", "413", "422", "429", "500", "503", "507"),
        },
        "openapi_extra": {
            "parameters": [_in_path("agent"), *(_parameter(one, ()) for one in IMPORT), _header(*_HEADERS[0])],
            "requestBody": {"content": _FILE, "required": True},
        },
    },
    "/v1/events": {
        "operation_id": "events",
        "summary": "What happens to memories, as server-sent events, from now on or after an id.",
        "tags": ["agents"],
        "responses": {
            "200": {"description": "A stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **_problems("400", "401", "403", "405", "422", "429", "500", "503"),
        },
        "openapi_extra": {
            "parameters": [
                {"name": "agent", "in": "query", "required": False, "schema": {"type": "string"},
                 "description": "Only of this agent."},
                {"name": "after", "in": "query", "required": False, "schema": {"type": "string"},
                 "description": "Go on after this id."},
                _header("Last-Event-ID", "As `after`; what a browser sends when it connects again."),
                _header(*_HEADERS[0]),
            ],
        },
    },
    "/healthz": {
        "operation_id": "healthz",
        "summary": "Whether the service reaches its store.",
        "tags": ["service"],
        "responses": {
            "200": {"description": "It does.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_problems("403", "405", "500", "503"),
        },
    },
    "/metrics": {
        "operation_id": "metrics",
        "summary": "Figures for Prometheus.",
        "tags": ["service"],
        "responses": {
            "200": {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_problems("401", "403", "405", "422", "429", "500", "503"),
        },
        "openapi_extra": {"parameters": [_header(*_HEADERS[0])]},
    },
}  # fmt: skip


def complete(app: FastAPI) -> None:
    """Give the document what no route says: the schemas that are referred to, and the keys."""
    made = app.openapi

    def document() -> dict[str, Any]:
        found = made()
        parts = found.setdefault("components", {})
        parts["schemas"] = {**parts.get("schemas", {}), **_SCHEMAS}
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "eg_<id>_<secret>"}}
        found["security"] = [{"key": []}, {}]
        return found

    app.openapi = document  # type: ignore[method-assign]
