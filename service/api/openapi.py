"""The OpenAPI 3.1 description of the API, made from the declarations of its endpoints."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from service.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from service.api_errors import Problem

VERSION = "1.0.0"
JSON_SCHEMA = ("type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "default")
"""what describes a value in an address"""
PROBLEM = "application/problem+json"
PROBLEMS = {
    "400": "the request is malformed",
    "401": "no token, or a wrong one",
    "403": "the token has another scope, or the listener is somebody else",
    "404": "there is nothing, or no such listener",
    "422": "a parameter cannot be used",
    "429": "too many wrong tokens came from this address",
    "503": "the tables were being replaced; ask again",
}


@cache
def document() -> dict[str, Any]:
    """The description, as served at PREFIX/openapi.json."""
    models = [(endpoint.answer, "serialization") for endpoint in ENDPOINTS] + [(Problem, "serialization")]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Listening lakehouse",
            "version": VERSION,
            "description": "What a listener's tables say, read-only. Answers name the versions of the tables that were read.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "a token of scope read"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    answer = {
        "description": "the answer",
        "headers": {
            "ETag": {"description": "send it as If-None-Match, to be told whether anything changed", "schema": {"type": "string"}}
        },
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{endpoint.answer.__name__}"}}},
    }
    return {
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "description": f"Read from {', '.join(endpoint.tables)}.",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": schema.get("description", ""),
                "schema": _plain(schema),
            }
            for name, schema in endpoint.parameters.items()
        ],
        "responses": {
            "200": answer,
            "304": {"description": "nothing changed since the answer with this ETag"},
            **{status: _problem(text) for status, text in PROBLEMS.items()},
        },
    }


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value in an address, where nothing can be null: a parameter that is left out is."""
    (typed,) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    default = {} if schema.get("default") is None else {"default": schema["default"]}
    return {name: value for name, value in (typed | default).items() if name in JSON_SCHEMA}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
