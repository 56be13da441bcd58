"""One right answer among a hundred: the protocol of "Neural Collaborative Filtering" (He et al., WWW 2017).

    python bench/sampled_ranking.py --data FOLDER [--models ease,implicit_mf,auto] [--out FOLDER]

FOLDER holds train.parquet (user, item) and test.parquet (user, item, label: 1 for the one item that the person turned
to last, 0 for the others). Models are fitted on the first with their usual settings; `auto` chooses and tunes on a
cut of it. Every pair of the second is scored. r = how many of a person's other items score at least as high as the
right one: a tie counts against the model. HR@10 is the share of people with r < 10, NDCG@10 the mean of 1 / log2(r +
2) for those. With --out the scores are written as MODEL.parquet (user, item, score, label), for another program to
score. Without --data a small made-up log shows that it works. Sampled figures say little about full rankings; they
are here because cleanly tuned references exist for them.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.learn.benchmark import AUTO
from bespeak.learn.train import train
from bespeak.models.base import Interactions, Model
from bespeak.models.families import model_class
from parts.figures import emit, options, peak_mb, tell

K = 10


def made_up(n_users: int, n_items: int, n_asked: int) -> tuple[pa.Table, pa.Table]:
    """People who keep to one of ten tastes, the right item of the same taste, others at random."""
    rng = np.random.default_rng(0)
    taste = rng.integers(0, 10, n_users)
    users = np.repeat(np.arange(n_users), 12)
    items = (taste[users] + 10 * rng.integers(0, n_items // 10, len(users))) % n_items
    pairs = np.unique(np.stack([users, items]), axis=1)
    shown = np.stack([rng.permutation(n_items)[:n_asked] for _ in range(n_users)])
    shown[:, 0] = taste + 10 * rng.integers(0, n_items // 10, n_users)
    label = np.zeros((n_users, n_asked), np.int32)
    label[:, 0] = 1
    test = {"user": np.repeat(np.arange(n_users), n_asked), "item": shown.ravel(), "label": label.ravel()}
    return pa.table({"user": pairs[0], "item": pairs[1]}), pa.table(test)


def log_of(table: pa.Table, also: pa.Table) -> Interactions:
    """The log; items that only the questions name are known too, without events."""
    users, user_index = np.unique(table.column("user").to_numpy(), return_inverse=True)
    items = np.unique(np.concatenate([table.column("item").to_numpy(), also.column("item").to_numpy()]))
    return Interactions.from_arrays(
        tuple(map(str, users.tolist())),
        tuple(map(str, items.tolist())),
        user_index,
        np.searchsorted(items, table.column("item").to_numpy()),
        is_ordered=False,
    )


def scored(model: Model, log: Interactions, asked: pa.Table) -> np.ndarray:
    """float32[rows of `asked`]: the score of each pair. Each person is asked alone, from the rows of the log."""
    place = {name: row for row, name in enumerate(log.user_ids)}
    users, owner = np.unique(asked.column("user").to_numpy(), return_inverse=True)
    items = np.array([log.positions[str(item)] for item in asked.column("item").to_pylist()], np.int64)
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(users) + 1))
    rows = np.array([place[str(user)] for user in users.tolist()], np.int64)
    found = np.zeros(len(items), np.float32)
    step = model.block_rows()
    for start in range(0, len(users), step):
        block = rows[start : start + step]
        scores = model.scores(log.histories(block), log.last_ms)
        for row in range(len(block)):
            entries = order[starts[start + row] : starts[start + row + 1]]
            found[entries] = scores[row, items[entries]]
    return found


def figures(asked: pa.Table, scores: np.ndarray) -> dict[str, float]:
    """HR@10 and NDCG@10."""
    label = asked.column("label").to_numpy() == 1
    _, owner = np.unique(asked.column("user").to_numpy(), return_inverse=True)
    right = np.zeros(int(owner.max()) + 1, np.float32)
    right[owner[label]] = scores[label]
    ahead = np.bincount(owner[~label], scores[~label] >= right[owner[~label]], minlength=len(right))
    hit = ahead < K
    return {"hr@10": float(hit.mean()), "ndcg@10": float(np.where(hit, 1 / np.log2(ahead + 2), 0).mean())}


def fitted(name: str, log: Interactions) -> Model:
    """A model with its usual settings, or the one that is chosen on a cut of the log."""
    if name == AUTO:
        return train(log, asked="everybody", reports=False, k=K).model
    return model_class(name).from_arrays({}, (), {}).fit(log)


def main() -> None:
    """Runs the benchmark: a line per model on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        data=("", "", "folder with train.parquet and test.parquet"),
        models=("popularity,ease,implicit_mf,auto", "popularity,ease", "names of models, or auto"),
        out=("", "", "folder for the scores"),
    )
    folder = Path(given.data)
    train_rows, asked = (
        (pq.read_table(folder / "train.parquet"), pq.read_table(folder / "test.parquet"))
        if given.data
        else made_up(400, 300, 50)
    )
    log = log_of(train_rows, asked)
    rows = []
    for name in given.models.split(","):
        started = time.perf_counter()
        model = fitted(name, log)
        seconds = time.perf_counter() - started
        scores = scored(model, log, asked)
        found = {"model": name, "is": model.name, "settings": model.settings(), **figures(asked, scores)}
        rows.append(found | {"seconds_to_fit": round(seconds, 1)})
        tell(f"{name:<14} HR@10 {found['hr@10']:.4f}  NDCG@10 {found['ndcg@10']:.4f}  {seconds:7.1f} s  {model.name}")
        if given.out:
            Path(given.out).mkdir(parents=True, exist_ok=True)
            pq.write_table(asked.append_column("score", pa.array(scores)), Path(given.out) / f"{name}.parquet")
    emit({"data": "given" if given.data else "made up", "people": log.n_users, "rows": rows, "peak_mb": peak_mb()})


if __name__ == "__main__":
    main()
