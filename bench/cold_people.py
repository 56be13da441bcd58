"""What traits tell about people who did nothing yet: whole people held out, asked with their traits alone.

    python bench/cold_people.py --data FOLDER

FOLDER holds ratings.parquet (user, item, rating), users.parquet (user and columns of traits) and items.parquet (item,
genres separated by |). A fifth of the people, those whose SHA-256 of the user id is below 20 modulo 100, are held out
of every fit; nothing of them is known but their traits. All items are ranked. Once every rating is a right answer and
once those of 4 and 5 alone are, which are then fitted on alone, too. Figures are means over people with 95 % bootstrap
intervals; differences are paired with plain popularity. "shuffled" gives each person the traits of another: what is
left of a difference then is no knowledge. Without --data a small made-up log shows that it works.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.learn.cold_people import judge_traits
from bespeak.learn.evaluation.evaluate import cold_lists
from bespeak.learn.intervals import difference_interval, mean_interval
from bespeak.learn.metrics import ranking_figures
from bespeak.learn.splits import Split, newcomers
from bespeak.models import (
    AttributeFactors,
    Interactions,
    ItemContent,
    Model,
    PersonTraits,
    Popularity,
    SegmentPopularity,
)
from parts.figures import emit, options, peak_mb, tell

HELD_OUT_PERCENT = 20
K_NDCG, K_RECALL = 10, 20


@dataclass(frozen=True)
class Data:
    """One reading of the ratings."""

    log: Interactions
    content: ItemContent
    traits: PersonTraits


def made_up(n_users: int, n_items: int) -> dict[str, pa.Table]:
    """People of two kinds, each fond of half of the items."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), 20)
    items = (2 * rng.integers(0, n_items // 2, len(users)) + (rng.random(len(users)) < 0.8) * (users % 2)) % n_items
    pairs = np.unique(np.stack([users, items]), axis=1)
    return {
        "ratings": pa.table({"user": pairs[0], "item": pairs[1], "rating": rng.integers(1, 6, pairs.shape[1])}),
        "users": pa.table({"user": np.arange(n_users), "kind": np.arange(n_users) % 2}),
        "items": pa.table({"item": np.arange(n_items), "genres": [f"g{i % 2}" for i in range(n_items)]}),
    }


def is_held_out(user_ids: Sequence[str]) -> np.ndarray:
    """bool[n], by a hash that knows nothing of the order of the file."""
    digests = [int.from_bytes(hashlib.sha256(user.encode()).digest()) for user in user_ids]
    return np.array([digest % 100 < HELD_OUT_PERCENT for digest in digests])


def read(tables: Mapping[str, pa.Table], least_rating: int) -> Data:
    """The ratings from `least_rating` on as likes."""
    ratings, users, items = (tables[name].to_pydict() for name in ("ratings", "users", "items"))
    kept = np.flatnonzero(np.array(ratings["rating"]) >= least_rating).tolist()
    who, what = ([str(ratings[name][row]) for row in kept] for name in ("user", "item"))
    content = ItemContent(
        [str(item) for item in items["item"]],
        attributes={"genre": [(genres or "").split("|") for genres in items["genres"]]},
    )
    traits = {name: [[str(value)] for value in column] for name, column in users.items() if name != "user"}
    log = Interactions.from_events(who, what)
    return Data(log, content, PersonTraits([str(user) for user in users["user"]], traits))


def asked(data: Data, traits: PersonTraits) -> Split:
    """Everybody held out, before their first row."""
    log = data.log.with_traits(traits)
    fit = log.select(~is_held_out(log.user_ids)[log.user_index])
    nobody = np.zeros(0, np.int32)
    return newcomers(log, Split("held out", fit, fit, nobody, log.net[nobody], fit.last_ms, 0, 0))


def measured(model: Model, data: Data, traits: PersonTraits) -> tuple[np.ndarray, float]:
    """float64[n, 2], NDCG and recall of each person, and the seconds of the fit."""
    cold = asked(data, traits)
    started = time.perf_counter()
    fitted = model.fit(cold.fit, data.content)
    seconds = time.perf_counter() - started
    index = cold_lists(fitted, cold, K_RECALL)
    ndcg = ranking_figures(index[:, :K_NDCG], cold.truth).ndcg
    return np.stack([ndcg, ranking_figures(index, cold.truth).recall], axis=1), seconds


def only(traits: PersonTraits, name: str) -> PersonTraits:
    """One trait of all."""
    return PersonTraits(traits.user_ids, {name: traits.attributes[name]})


def row_of(name: str, figures: np.ndarray, baseline: np.ndarray, seconds: float) -> dict[str, Any]:
    """Means, intervals and paired differences."""
    row: dict[str, Any] = {"model": name, "fit_seconds": round(seconds, 2)}
    for place, figure in enumerate((f"ndcg@{K_NDCG}", f"recall@{K_RECALL}")):
        own = mean_interval(figures[:, place], np.random.default_rng(0))
        paired = difference_interval(figures[:, place], baseline[:, place], np.random.default_rng(0))
        row[figure] = [round(value, 4) for value in (own.mean, own.low, own.high)]
        row[f"{figure} less popularity"] = [round(value, 4) for value in (paired.mean, paired.low, paired.high)]
    tell(row)
    return row


def compared(data: Data) -> list[dict[str, Any]]:
    """A row for each model and set of traits."""
    shuffled = np.random.default_rng(0).permutation(len(data.traits.user_ids)).tolist()
    mixed = data.traits.taken(shuffled, data.traits.user_ids)
    baseline, seconds = measured(Popularity(), data, data.traits)
    rows = [row_of("popularity", baseline, baseline, seconds)]
    alone = [(f"segment_popularity, {name} alone", only(data.traits, name)) for name in data.traits.attributes]
    trials: list[tuple[str, Model, PersonTraits]] = [
        ("segment_popularity", SegmentPopularity(), data.traits),
        *((name, SegmentPopularity(), one) for name, one in alone),
        ("segment_popularity, shuffled", SegmentPopularity(), mixed),
        ("attribute_factors", AttributeFactors(), data.traits),
        ("attribute_factors, shuffled", AttributeFactors(), mixed),
    ]
    for name, model, traits in trials:
        figures, seconds = measured(model, data, traits)
        rows.append(row_of(name, figures, baseline, seconds))
    return rows


def main() -> None:
    """Prints the comparison and what training would say of the people who are not held out."""
    given = options(
        __doc__,
        data=("", "", "folder with ratings.parquet, users.parquet and items.parquet"),
        users=(2_000, 400, "people of the made-up log"),
    )
    names = ("ratings", "users", "items")
    tables = (
        {name: pq.read_table(Path(given.data) / f"{name}.parquet") for name in names}
        if given.data
        else made_up(given.users, 100)
    )
    summary: dict[str, Any] = {}
    for label, least in (("every rating", 1), ("ratings of 4 and 5", 4)):
        data = read(tables, least)
        cold = asked(data, data.traits)
        verdict = judge_traits(cold.fit, data.content)
        summary[label] = {
            "people_asked": len(cold),
            "people_fitted": int((np.diff(cold.fit.row_starts) > 0).sum()),
            "rows": compared(data),
            "training_says": None if verdict is None else verdict.sentence(),
        }
    emit(summary | {"peak_mb": peak_mb()})


if __name__ == "__main__":
    main()
