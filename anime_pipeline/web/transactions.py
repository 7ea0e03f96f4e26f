"""A route's function, its session, its commit and its answer in one go of one thread.

A connection is held only while the function runs. FastAPI's own way (a dependency that yields a session) goes
through the thread pool several times per request and holds the connection in between: under load, threads
then wait for connections whose holders wait for threads.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from anime_pipeline.web.idempotency import answered_before, keep_answer
from anime_pipeline.web.versions import etag_of, is_fresh

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_REQUEST = "transaction_request"


def in_one_transaction(endpoint: Endpoint) -> Endpoint:
    """The function of a route, committed at its end and rolled back by an exception.

    It may return a model (answered as JSON with the route's status and an ETag), None (no body), or a whole
    ``Response``. A coroutine or generator is left as it is.
    """
    if inspect.iscoroutinefunction(endpoint) or inspect.isasyncgenfunction(endpoint):
        return endpoint

    signature = inspect.signature(endpoint, eval_str=True)
    own = [name for name, parameter in signature.parameters.items() if parameter.annotation is Request]

    @functools.wraps(endpoint)
    def run(**values: Any) -> Response:
        request: Request = values[own[0]] if own else values.pop(_REQUEST)
        session: Session = request.state.session
        try:
            before = answered_before(session, request)
            if before is not None:
                return before
            response = response_of(endpoint(**values), request)
            keep_answer(session, request, response)
            session.commit()
            return response
        finally:
            session.close()

    ours = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    added = [] if own else [ours]  # FastAPI hands a request to one parameter
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    return cast(Endpoint, run)


def response_of(result: object, request: Request) -> Response:
    """What a route's function returned, as an answer."""
    if isinstance(result, Response):
        return result
    status = request.scope["route"].status_code or 200
    if result is None:
        return Response(status_code=204)
    assert isinstance(result, BaseModel), f"a route returns a model, a Response or None, not {type(result)}"
    body = result.model_dump_json(by_alias=True)
    headers = {"ETag": etag_of(body)}
    if request.method == "GET" and is_fresh(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, "application/json")
