"""Our own faults: answered once, in the one shape of errors, with the request's id and without its contents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bespeak.engine.engine import Engine
from bespeak.serve.run import make_app
from server_fixtures import make_project

Get = Callable[..., httpx.Response]


async def broken(request: Request) -> Response:
    raise ZeroDivisionError(request.query_params["secret"])


@pytest.fixture
def get(tmp_path: Path) -> Iterator[Get]:
    project = make_project(tmp_path / "shop", n_people=1, n_items=8)
    with Engine.open(project.root) as engine:
        app: Any = make_app(engine, lambda _engine: [Route("/broken", broken)])

        def getter(path: str, **options: Any) -> httpx.Response:
            async def call() -> httpx.Response:
                # What the application raises would be raised here: a server would log it as its own.
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                    return await client.get(path, **options)

            return asyncio.run(call())

        yield getter
        app.close()


def test_a_fault_of_ours_is_answered_in_the_shape_of_errors(get, caplog):
    answer = get("/broken", params={"secret": "personal"}, headers={"x-request-id": "r-17"})
    assert answer.status_code == 500
    assert answer.json() == {"code": "internal_error", "message": "Something went wrong on our side. Request r-17."}
    assert "r-17" in caplog.text


def test_the_server_lives_on_after_a_fault(get):
    get("/broken", params={"secret": "x"})
    assert get("/health/ready").status_code == 200
