"""Routes that check their caller before anything else, and document every answer they can give."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, Depends, Header, Request, Response, Security, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy.orm import Session

from anime_pipeline.web.access import Access, admit
from anime_pipeline.web.body_limit import limited
from anime_pipeline.web.idempotency import idempotency_key
from anime_pipeline.web.problems import ProblemError, escaped, field_error, problems, unprocessable
from anime_pipeline.web.state import state_of

_bearer = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key made by `anime-pipeline keys create`."
)
_CHANGING = {"PUT", "PATCH", "DELETE"}
_FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


async def _if_none_match(
    if_none_match: str | None = Header(None, description="The ETag that you have: 304 if it is current."),
) -> None:
    """Documents the header; the answer is compared with it where it is made."""


async def _if_match(
    if_match: str | None = Header(
        None, description="The ETag that you read: 412 if it is no longer current."
    ),
) -> None:
    """Documents the header; versions.check_unchanged reads it."""


class ApiRoute(APIRoute):
    """A route of the API, whose function carries :func:`access.requires`: without it none can be made."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Iterable[str] | None = None,
        responses: dict[int | str, dict[str, Any]] | None = None,
        dependencies: Iterable[params.Depends] | None = None,
        **rest: Any,
    ) -> None:
        if not hasattr(endpoint, "access"):
            raise TypeError(f"{path}: its function needs @requires(role)")
        self.access: Access = endpoint.access
        chosen = sorted(methods or ["GET"])
        super().__init__(
            path,
            endpoint,
            methods=chosen,
            responses={**_common(chosen, self.access), **(responses or {})},
            dependencies=[*(dependencies or ()), *_documented(chosen, self.access)],
            **rest,
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, behind the checks of caller, query, content type and length."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await admit(request, self.access)
            state = state_of(request)
            self._check_query(request)
            is_form = self.body_field is not None and isinstance(self.body_field.field_info, params.Form)
            self._check_content_type(request, is_form)
            self._check_condition(request)
            measured = limited(request, *state.settings.body_limit(is_form))
            if self.takes_no_body:
                await _refuse_body(measured)
            # Nothing is connected yet: that is left to the function that uses it.
            request.state.session = Session(state.engine, expire_on_commit=False)
            return await handle(measured)

        return guarded

    @property
    def takes_no_body(self) -> bool:
        """Whether a body would say something that nobody heeds. Signed routes read theirs by themselves."""
        reads = set(self.methods or ()) <= {"GET", "HEAD"}
        return self.body_field is None and self.access != "anyone" and not reads

    def _check_condition(self, request: Request) -> None:
        if "if-match" in request.headers and not _CHANGING & set(self.methods or ()):
            detail = "If-Match is heeded by PUT, PATCH and DELETE."
            raise unprocessable("/If-Match", detail, "Leave it out.", "header")

    def _check_query(self, request: Request) -> None:
        known = _query_names(self.dependant)
        unknown = sorted(request.query_params.keys() - known)
        if unknown:
            choices = f"It takes {', '.join(sorted(known))}." if known else "It takes none."
            errors = [
                field_error(f"/{escaped(name)}", "There is no such parameter.", "query") for name in unknown
            ]
            raise ProblemError(422, f"There is no parameter {unknown[0]} here.", choices, errors)

    def _check_content_type(self, request: Request, is_form: bool) -> None:
        headers = request.headers
        if self.body_field is None or not (
            headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        ):
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _FORM_TYPES if is_form else kind == "application/json" or kind.endswith("+json"):
            return
        wanted = _FORM_TYPES[0] if is_form else "application/json"
        raise ProblemError(415, f"The content type {kind or '(none)'} is not taken.", f"Send {wanted}.")


async def _refuse_body(request: Request) -> None:
    """422 for a body where none is taken, as unknown fields are errors; ``{}`` says nothing."""
    if (await request.body()).strip() not in (b"", b"{}"):
        raise unprocessable("", "No body is taken here.", "Send none, or {}.")


def _query_names(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*(_query_names(below) for below in dependant.dependencies))


def _common(methods: list[str], access: Access) -> dict[int | str, dict[str, Any]]:
    """What a route of these methods can answer besides its own: one place knows."""
    statuses = [422, 429, 500, 503]
    if access != "anyone":
        statuses += [401, 403]
    if not set(methods) <= {"GET", "HEAD"}:
        statuses += [400, 409, 413, 415]
    described = problems(*sorted(statuses))
    if methods == ["GET"]:
        described[304] = {"description": "What you have (If-None-Match) is current."}
    return described


def _documented(methods: list[str], access: Access) -> list[params.Depends]:
    found: list[params.Depends] = []
    if access != "anyone":
        found.append(Security(_bearer))
    if "POST" in methods and access != "anyone":  # what is signed is known by an id of its own
        found.append(Depends(idempotency_key))
    if _CHANGING & set(methods):
        found.append(Depends(_if_match))
    if methods == ["GET"]:
        found.append(Depends(_if_none_match))
    return found


def api_router(tag: str, prefix: str = "/api/anime") -> APIRouter:
    """A router of one subject of the API."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=ApiRoute)
