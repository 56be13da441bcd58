"""Foretelling ratings on a published data set: the random split that papers use, and the cut by time of `train`.

    python bench/ratings.py [--data FOLDER] [--factors 16]

FOLDER holds `ratings.parquet` (user, item, rating; timestamp if there is one) and `items.parquet` (item, genres; year
or release_date); without it ratings are made up. Random: nine tenths are fitted, one tenth is asked, mean of three
seeds; people are known by their fitted ratings. What papers report is on the page on model quality.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bespeak.learn.ratings import train_ratings
from bespeak.models.interactions import ItemContent
from bespeak.models.ratings.base import Ratings, RatingScale
from bespeak.models.ratings.biased_factorization import BiasedFactorization
from bespeak.models.ratings.item_mean import ItemMean
from parts.figures import emit, options, peak_mb, tell

N_SEEDS = 3


def read(folder: Path) -> tuple[Ratings, ItemContent, np.ndarray | None]:
    """The ratings, what is known of the items, and which ratings the split u1 asks, in the order of the ratings."""
    table = pq.read_table(folder / "ratings.parquet")
    users, user = np.unique(table["user"].to_numpy(), return_inverse=True)
    items, item = np.unique(table["item"].to_numpy(), return_inverse=True)
    order = next((name for name in ("timestamp", "file_row") if name in table.column_names), None)
    is_timed = order == "timestamp"
    ratings = Ratings.of(
        [str(u) for u in users],
        [str(i) for i in items],
        user,
        item,
        table["rating"].to_numpy().astype(float),
        table[order].to_numpy() * 1000 if is_timed else None,
        scale=RatingScale(1, 5),
    )
    known = {row["item"]: row for row in pq.read_table(folder / "items.parquet").to_pylist()}
    of_items = [known.get(i, {}) for i in items.tolist()]
    content = ItemContent(
        ratings.item_ids,
        attributes={
            "genre": [[g for g in (row.get("genres") or "").split("|") if g] for row in of_items],
            "lustrum": [[str(year // 5)] if (year := _year(row)) else [] for row in of_items],
        },
    )
    asked = None
    if "u1_test" in table.column_names:
        pairs = set(zip(user[table["u1_test"].to_numpy()], item[table["u1_test"].to_numpy()], strict=True))
        asked = np.array([pair in pairs for pair in zip(ratings.user_index, ratings.item_index, strict=True)])
    return ratings, content, asked


def made_up(n_users: int, n_items: int) -> tuple[Ratings, ItemContent, None]:
    """Two camps with a known law, half of all pairs rated."""
    rng = np.random.default_rng(1)
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.5)
    values = 3 + np.where(user % 2 == item % 2, 1, -1) + rng.normal(0, 0.7, len(user))
    names = [str(u) for u in range(n_users)], [str(i) for i in range(n_items)]
    times = rng.permutation(len(user))
    ratings = Ratings.of(*names, user, item, np.clip(values, 1, 5), times, scale=RatingScale(1, 5))
    return ratings, ItemContent(ratings.item_ids), None


def _year(row: dict) -> int:
    return row.get("year") or int((row.get("release_date") or "0")[-4:])


def split(ratings: Ratings, content: ItemContent, is_asked: np.ndarray, factors: int) -> dict[str, dict[str, float]]:
    """Every model fitted on the one part and asked the other."""
    fit, asked = ratings.select(~is_asked), ratings.select(is_asked)
    found = {}
    for name, model in {
        "item mean": ItemMean(),
        "biases": BiasedFactorization(factors=0),
        "biased factorization": BiasedFactorization(factors=factors),
    }.items():
        started = time.perf_counter()
        fitted = model.fit(fit, content if name == "biased factorization" else None)
        seconds = time.perf_counter() - started
        error = fitted.predict(fit, asked.user_index, asked.item_index).values - asked.values
        found[name] = {"rmse": np.sqrt(np.mean(error**2)), "mae": np.abs(error).mean(), "fit_s": seconds}
    return found


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        data=("", "", "folder with ratings.parquet and items.parquet"),
        factors=(16, 4, "length of the vectors"),
    )
    ratings, content, u1 = read(Path(given.data)) if given.data else made_up(200, 60)
    tell(f"{len(ratings):,} ratings by {len(ratings.user_ids):,} people of {len(ratings.item_ids):,} items")
    masks = [np.random.default_rng(seed).random(len(ratings)) < 0.1 for seed in range(N_SEEDS)]
    runs = [split(ratings, content, is_asked, given.factors) for is_asked in masks]
    figures = {"random": {name: _means([run[name] for run in runs]) for name in runs[0]}}
    if u1 is not None:
        figures["u1"] = split(ratings, content, u1, given.factors)
    for title, found in figures.items():
        tell(f"{title:<22} {'RMSE':>7} {'MAE':>7} {'fit s':>7}")
        for name, row in found.items():
            tell(f"  {name:<20} {row['rmse']:>7.4f} {row['mae']:>7.4f} {row['fit_s']:>7.2f}")
    started = time.perf_counter()
    trained = train_ratings(ratings, content)
    seconds = time.perf_counter() - started
    for sentence in trained.evaluation.sentences():
        tell(sentence)
    emit(
        {
            "ratings": len(ratings),
            "figures": figures,
            "train": {**trained.evaluation.metrics(), "seconds": seconds, **trained.model.settings()},
            "by_time": {row.name: row.rmse.mean for row in trained.evaluation.rows},
            "activity": [[band.fewest, band.n, *(r.mean for r in band.rmse)] for band in trained.evaluation.activity],
            "items": [[band.fewest, band.n, *(r.mean for r in band.rmse)] for band in trained.evaluation.items],
            "calibration": [[part.foretold, part.given.mean, part.n] for part in trained.evaluation.calibration],
            "peak_mb": peak_mb(),
        }
    )


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


if __name__ == "__main__":
    main()
