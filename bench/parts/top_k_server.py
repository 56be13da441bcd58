"""What people write first: FastAPI in front of a factor model of `implicit`. The best k items for a user id, no more.

No profile that follows events, no filters, no candidates, no features, no reasons, no record of what was shown.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import BaseModel
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from parts.server import wait_listening
from parts.shop import choice

FACTORS = 64


class Asked(BaseModel):
    """Who, and how many items."""

    user_id: str
    count: int = 10


class Shown(BaseModel):
    """One item."""

    id: str
    score: float


@contextmanager
def top_k_server(n_people: int, n_items: int, events_each: int) -> Iterator[str]:
    """Serves the baseline from a process of its own; gives its address."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(n_people, n_items, events_each, send))
    process.start()
    try:
        url = receive.recv()
        wait_listening(url)
        yield url
    finally:
        process.terminate()
        process.join(20)


def _app(n_people: int, n_items: int, events_each: int) -> FastAPI:
    rng = random.Random(1)
    people = np.repeat(np.arange(n_people), events_each)
    items = np.array([choice(rng, int(person), n_items) for person in people])
    seen = csr_matrix((np.ones(len(people), np.float32), (people, items)), shape=(n_people, n_items))
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(factors=FACTORS, random_state=1)
        model.fit(seen, show_progress=False)
    app = FastAPI()

    @app.post("/recommend")
    def recommend(asked: Asked) -> list[Shown]:
        user = int(asked.user_id.removeprefix("u"))
        found, scores = model.recommend(user, seen[user], asked.count, filter_already_liked_items=True)
        return [Shown(id=f"p{item}", score=float(score)) for item, score in zip(found, scores, strict=True)]

    return app


def _serve(n_people: int, n_items: int, events_each: int, pipe: Any) -> None:
    app = _app(n_people, n_items, events_each)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_keep_alive=600)
    held = config.bind_socket()
    pipe.send(f"http://127.0.0.1:{held.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[held])
