"""Errors as RFC 9457 problem details: what is wrong, at which field, and what mends it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, OperationalError
from starlette.exceptions import HTTPException

from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.errors import UserError

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class FieldError(BaseModel):
    """One field at fault. ``pointer`` is a JSON pointer as a URI fragment, into what ``in`` names."""

    pointer: str = Field(examples=["#/attributes/0/attribute_type"])
    detail: str = Field(examples=["Field required"])
    where: str = Field("body", alias="in", examples=["body"], description="body, query, path or header")


class Problem(BaseModel):
    """An error, as application/problem+json (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no character 7."])
    remedy: str | None = Field(None, examples=["GET /api/anime/characters lists them."])
    instance: str = Field(examples=["/api/anime/characters/7"])
    request_id: str = Field(examples=["5f0c2b7a9d3e4f61"], description="Named in the server's log.")
    errors: list[FieldError] = Field([])


class ProblemError(HTTPException):
    """An answer that is a problem; raise it anywhere below a route."""

    def __init__(
        self,
        status: int,
        detail: str,
        remedy: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.remedy = remedy
        self.errors = list(errors)


def not_found(what: str, identifier: object, remedy: str | None = None) -> ProblemError:
    """404: ``There is no character 7.``"""
    return ProblemError(404, f"There is no {what} {identifier}.", remedy)


def field_error(pointer: str, detail: str, where: str = "body") -> FieldError:
    """A field at fault; ``pointer`` such as ``/name``."""
    return FieldError.model_validate({"pointer": f"#{pointer}", "detail": detail, "in": where})


def unprocessable(pointer: str, detail: str, remedy: str | None = None, where: str = "body") -> ProblemError:
    """422 at one field."""
    return ProblemError(422, detail, remedy, [field_error(pointer, detail, where)])


def conflict(pointer: str, detail: str, remedy: str) -> ProblemError:
    """409 at one field of the body."""
    return ProblemError(409, detail, remedy, [field_error(pointer, detail)])


_DESCRIPTIONS = {
    400: "The request cannot be read.",
    401: "A valid key is needed.",
    403: "The key's role may not do this, or the request came from a foreign page.",
    404: "There is no such thing.",
    409: "It cannot be done in the present state; the remedy says what to do.",
    410: "It is gone.",
    412: "It was changed since the version that If-Match names.",
    413: "The body is larger than the server takes.",
    415: "The body has another content type than the route takes.",
    416: "The range lies outside the file.",
    422: "A field is at fault; `errors` names it.",
    428: "This installation wants If-Match on changes.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "An error of the server; its log has it under the request id.",
    503: "The database cannot be reached now.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that can answer with these problems."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem_response(request: Request, error: ProblemError) -> Response:
    """The answer to a request that ended in ``error``."""
    problem = Problem(
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=str(error.detail),
        remedy=error.remedy,
        instance=request.url.path,
        request_id=getattr(request.state, "request_id", ""),
        errors=error.errors,
    )
    body = problem.model_dump_json(by_alias=True, exclude_none=True)
    return Response(body, error.status_code, error.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of ``app`` be answered with a problem."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(DBAPIError, _database_error)


def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ProblemError):
        return problem_response(request, error)
    assert isinstance(error, HTTPException)
    detail, remedy = str(error.detail), None
    if error.status_code == 404:
        detail, remedy = f"There is nothing at {request.url.path}.", "/openapi.json lists every route."
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_at(request)) or headers.get("Allow", "")
        detail = f"{request.method} is not possible at {request.url.path}."
        remedy = f"Possible: {headers['Allow']}."
    return problem_response(request, ProblemError(error.status_code, detail, remedy, headers=headers))


def _methods_at(request: Request) -> list[str]:
    """Every method that the document knows for the path; Starlette tells those of the first route alone."""
    path, paths = request.url.path, request.app.openapi()["paths"]
    found: set[str] = set()
    for template, operations in {path: paths[path]}.items() if path in paths else paths.items():
        if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), path):
            found |= {method.upper() for method in operations}
    return sorted(found)


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(entry["type"] == "json_invalid" for entry in error.errors()):
        detail = "The body is not valid JSON."
        return problem_response(request, ProblemError(400, detail, errors=[field_error("", detail)]))
    errors = [_field_error(entry) for entry in error.errors()]
    first = errors[0]
    detail = f"{first.pointer[2:] or first.where}: {first.detail}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    return problem_response(request, ProblemError(422, detail, errors=errors))


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    where, *location = entry["loc"]
    steps = "".join(f"/{escaped(step)}" for step in location)
    return field_error(steps, entry["msg"].removeprefix("Value error, "), str(where))


def escaped(step: object) -> str:
    """A step of a JSON pointer, such as the name of a field."""
    return str(step).encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")


def _user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    status = 503 if isinstance(error, DatabaseError) else 409
    return problem_response(request, ProblemError(status, str(error), error.remedy))


def _database_error(request: Request, error: Exception) -> Response:
    """A database that is away or too busy is no fault of the code; everything else is."""
    if not isinstance(error, OperationalError):
        raise error
    _log.error("request %s: the database failed: %s", getattr(request.state, "request_id", ""), error.orig)
    detail = "The database cannot be reached, or did not answer in time."
    problem = ProblemError(503, detail, "Try again in a few seconds.", headers={"Retry-After": "5"})
    return problem_response(request, problem)
