"""Errors of the API as JSON (RFC 9457), whatever a client accepts: a script would take a page for an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
# Answers are one person's: no proxy keeps them.
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization", "X-Content-Type-Options": "nosniff"}


class InvalidParameter(BaseModel):
    """A parameter that cannot be used."""

    model_config = ConfigDict(frozen=True)

    parameter: str
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    title: str
    status: int
    detail: str
    errors: list[InvalidParameter] = Field(description="what is wrong with single parameters; empty for other errors")


class ApiError(Exception):
    """What a request cannot be answered for; the message is for whoever sent it."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[InvalidParameter] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, list(errors), dict(headers or {})

    def response(self) -> Response:
        """The answer to the request."""
        problem = Problem(title=HTTPStatus(self.status).phrase, status=self.status, detail=self.detail, errors=self.errors)
        headers = PRIVATE | {"Cache-Control": "no-store"} | self.headers
        return Response(problem.model_dump_json(), self.status, headers, MEDIA_TYPE)


def invalid(error: ValidationError) -> ApiError:
    """422 for parameters that cannot be used. What was sent is not repeated."""
    errors = [InvalidParameter(parameter=_name(one), detail=_detail(one)) for one in error.errors(include_url=False)]
    named = ", ".join(sorted({one.parameter for one in errors}))
    return ApiError(422, f"these parameters cannot be used: {named}", errors)


def _name(error: Any) -> str:
    # An unknown name is the client's own text.
    return ".".join(str(part) for part in error["loc"])[:100] or "query"


def _detail(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    return str(error["msg"]).removeprefix("Value error, ")
