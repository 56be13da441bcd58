"""Items that nobody has touched: how well they find the people who will turn to them, by their attributes alone.

    python bench/cold_items.py --data FOLDER [--models content,item_neighbours] [--people 10000]

FOLDER holds item_attributes.parquet (item, attribute; several rows per item) and interactions in one or more of
train.parquet, valid.parquet and test.parquet (user, item, pos). A fifth of the items, by a hash of their ids, is held
out: no model sees a row about them. Each person with rows on both sides is asked, from the rows about the other items
(those that came later too), for the held-out items they turned to: once among the held-out items, once among all that
the person has not touched. NDCG@10 and recall@10 stand with their 95 % bootstrap interval over people, and NDCG less
that of popularity, paired. Popularity knows nothing of held-out items, so its order among them is drawn by lot. Models
of behaviour borrow scores for them, as when they serve (`bespeak.models.new_items`); so does `borrowed popularity`,
which is popularity by attributes. Nothing is tuned here: settings are each model's usual ones. Without --data a small
made-up log shows that it works.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.learn.intervals import difference_interval, mean_interval
from bespeak.learn.leaderboard import blocks, sampled
from bespeak.learn.metrics import RankingFigures, ranking_figures
from bespeak.learn.splits import Split
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.families import model_class
from bespeak.models.topk import top_k
from parts.figures import emit, options, peak_mb, tell

K = 10
SEED = 1
HELD_OUT = 5
"""One item of so many is held out."""


def is_held_out(item: str, salt: str) -> bool:
    """Whether an item is held out: the same on every machine."""
    digest = blake2b(f"{salt}{item}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % HELD_OUT == 0


def made_up() -> tuple[pa.Table, pa.Table]:
    """400 people who keep to one of ten brands."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(400), 12)
    item = user % 10 + 10 * rng.integers(0, 30, len(user))
    rows = pa.table({"user": user, "item": item, "pos": np.tile(np.arange(12), 400)})
    return rows, pa.table({"item": np.arange(300), "attribute": np.arange(300) % 10})


def read(folder: Path) -> tuple[pa.Table, pa.Table]:
    """(rows, attributes) of a folder."""
    names = [name for name in ("train", "valid", "test") if (folder / f"{name}.parquet").exists()]
    rows = pa.concat_tables(
        [pq.read_table(folder / f"{name}.parquet", columns=["user", "item", "pos"]) for name in names]
    )
    return rows, pq.read_table(folder / "item_attributes.parquet")


def cut_of(rows: pa.Table, attributes: pa.Table, salt: str) -> tuple[Split, ItemContent, np.ndarray]:
    """(the cut, what the items are, bool[n_items]: which are held out)."""
    items = np.unique(np.concatenate([rows.column("item").to_numpy(), attributes.column("item").to_numpy()]))
    values: list[list[str]] = [[] for _ in items]
    places = np.searchsorted(items, attributes.column("item").to_numpy())
    for place, value in zip(places.tolist(), attributes.column("attribute").to_pylist(), strict=True):
        values[place].append(str(value))
    ids = tuple(map(str, items.tolist()))
    users, owner = np.unique(rows.column("user").to_numpy(), return_inverse=True)
    log = Interactions.from_arrays(
        tuple(map(str, users.tolist())),
        ids,
        owner,
        np.searchsorted(items, rows.column("item").to_numpy()),
        times_ms=rows.column("pos").to_numpy().astype(np.int64),
    )
    held_out = np.array([is_held_out(item, salt) for item in ids])
    fit, later = log.select(~held_out[log.item_index]), log.select(held_out[log.item_index])
    truth = later.matrix
    people = np.flatnonzero((np.diff(fit.row_starts) > 0) & (np.diff(truth.indptr) > 0)).astype(np.int32)
    answers = truth[people]
    answers.data[:] = 1
    split = Split("cold items", fit, fit, people, answers, fit.last_ms, len(people), 0)
    return split, ItemContent(ids, attributes={"attribute": values}), held_out


def ranked(model: Model, split: Split, held_out: np.ndarray) -> tuple[RankingFigures, RankingFigures]:
    """Figures (among the held-out items, among all). Equal scores are put in an order by lot."""
    lot = np.random.default_rng(SEED).random(len(held_out)).astype(np.float32) * np.float32(1e-9)
    lists = [np.full((len(split), K), -1, np.int32) for _ in range(2)]
    for part in blocks(len(split), model.block_rows()):
        scores = split.scores(model, split.histories(part)) + lot
        seen = split.seen(part)
        lists[0][part] = top_k(np.where(held_out, scores, -np.inf), K)[0]
        lists[1][part] = top_k(scores, K, seen)[0]
    return ranking_figures(lists[0], split.truth), ranking_figures(lists[1], split.truth)


def main() -> None:
    """Runs the benchmark: a line per model on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        data=("", "", "folder with item_attributes.parquet and train.parquet"),
        models=("content,attribute_factors,item_neighbours,sequence_rules,implicit_mf", "content", "names of models"),
        people=(10_000, 200, "people asked at most, drawn at random"),
        salt=("", "", "of the hash that holds items out: another one makes another cut"),
    )
    split, content, held_out = cut_of(*(read(Path(given.data)) if given.data else made_up()), given.salt)
    split = sampled(split, given.people, SEED)
    lending = split.with_content(content)
    names = ["popularity", "borrowed popularity", *given.models.split(",")]
    tell(f"{len(split):,} people, {int(held_out.sum()):,} of {len(held_out):,} items held out")
    baseline: tuple[RankingFigures, RankingFigures] | None = None
    rows = []
    for name in names:
        started = time.perf_counter()
        model = model_class(name.removeprefix("borrowed ")).from_arrays({}, (), {}).fit(split.fit, content)
        seconds = time.perf_counter() - started
        found = ranked(model, split if name == "popularity" else lending, held_out)
        baseline = baseline or found
        row: dict[str, object] = {"model": name, "seconds_to_fit": round(seconds, 1)}
        for among, ours, theirs in zip(("held_out", "all"), found, baseline, strict=True):
            ndcg, recall = (mean_interval(f, np.random.default_rng(SEED)) for f in (ours.ndcg, ours.recall))
            gain = difference_interval(ours.ndcg, theirs.ndcg, np.random.default_rng(SEED))
            row[among] = {
                key: [i.mean, i.low, i.high] for key, i in (("ndcg@10", ndcg), ("recall@10", recall), ("gain", gain))
            }
            tell(f"{name:<20} {among:<9} NDCG@10 {ndcg.mean:.4f} [{ndcg.low:.4f}, {ndcg.high:.4f}]  recall@10 "
                 f"{recall.mean:.4f} [{recall.low:.4f}, {recall.high:.4f}]  over popularity {gain.mean:+.4f} "
                 f"[{gain.low:+.4f}, {gain.high:+.4f}]")  # fmt: skip
        rows.append(row)
    emit({"data": "given" if given.data else "made up", "people": len(split), "rows": rows, "peak_mb": peak_mb()})


if __name__ == "__main__":
    main()
