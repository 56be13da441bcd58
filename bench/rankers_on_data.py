"""What learned weights are worth on data: planted worlds, films in order, films in context.

    python bench/rankers_on_data.py [--worlds 1000] [--data FOLDER] [--contexts FOLDER] [--people 1500]

Planted: of unregularised fits in small worlds, the share of 95 % intervals that hold the planted weight; beside it how
far a prior pulls weights. FOLDER of --data holds ratings.parquet (user, item, pos) and items.parquet (item, genres
separated by |): rows are candidates of models that were fitted on each person's first 60 %, labelled by the next 20 %;
models fitted on the first 80 % then rank for the last 20 %. FOLDER of --contexts holds ratings.parquet of ldos-comoda:
each watched film is ranked among 99 that the person did not rate, with and without crosses of context and genre, in
five parts of which one is held out at a time. What is known only after watching (`BARRED`) is no input. Differences are
paired by person.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.special import expit

from bespeak.decide.rankers.score import Weights
from bespeak.learn.intervals import difference_interval
from bespeak.learn.rankers.position_bias import PositionBias, PositionCurve
from bespeak.learn.rankers.shown import ShownItems, no_rows
from bespeak.learn.rankers.trees import grow, lightgbm
from bespeak.learn.rankers.weights import Sign, fit_score
from bespeak.models import Content, Ease, ImplicitMf, Interactions, ItemContent, ItemNeighbours, Model, Popularity
from bespeak.models.predictors.logistic import Rows, fit_logistic
from bespeak.models.predictors.newton import Prior
from bespeak.models.sequences.sequence_rules import SequenceRules
from parts.figures import emit, tell

K = 10
PLANTED = np.array([0.8, 0.5, -0.4, 0.2, 0.0])
BARRED = ("end_emo", "dominant_emo", "rating")
CONTEXTS = (
    "time", "daytype", "season", "location", "weather", "social", "mood", "physical", "decision", "interaction"
)  # fmt: skip
LEAST_SHARE, N_TAUGHT = 0.05, 15
GENRES = ("genre1", "genre2", "genre3")
EVEN = PositionBias(PositionCurve(np.ones(1), np.zeros(1), 0, is_harvested=False))


def planted(n_worlds: int) -> dict[str, Any]:
    """Coverage without a prior in three kinds of worlds, and the bias that a prior at twice the truth brings."""
    result: dict[str, Any] = {}
    n, f = 1500, len(PLANTED)
    for kind in ("independent", "collinear", "positions"):
        covered, pulled = np.zeros(f), np.zeros(f)
        for seed in range(n_worlds):
            rng = np.random.default_rng(seed)
            values = rng.normal(size=(n, f))
            if kind == "collinear":
                values[:, 1] = values[:, 0] + 0.3 * rng.normal(size=n)
            looked = (1.0 + np.arange(n) % 8) ** -0.8 if kind == "positions" else np.ones(n)
            rewards = (rng.random(n) < looked * expit(-2 + values @ PLANTED)).astype(float)
            rows = Rows.of(values, rewards, looked)
            fit = fit_logistic(rows, Prior.none(f))
            covered += np.abs(fit.weights - PLANTED) < 1.96 * fit.standard_errors
            prior = Prior(2 * PLANTED, np.full(f, 0.3), np.full(f, -np.inf), np.full(f, np.inf))
            pulled += fit_logistic(rows, prior).weights - PLANTED
        result[kind] = {
            "covered": (covered / n_worlds).round(3).tolist(),
            "together": round(float(covered.mean() / n_worlds), 4),
            "bias with a prior at twice the truth, spread 0.3": (pulled / n_worlds).round(3).tolist(),
        }
        tell(f"{kind}: {result[kind]}")
    return result


def ndcg(scores: np.ndarray, labels: np.ndarray, n_right: int) -> float:
    """NDCG@K of one list; `n_right` counts right answers that are no candidates, too."""
    order = np.argsort(-scores, kind="stable")[:K]
    ideal = (1 / np.log2(np.arange(2, min(K, n_right) + 2))).sum()
    return float((labels[order] / np.log2(np.arange(2, len(order) + 2))).sum() / ideal)


class Candidates:
    """Candidates of people: what models say of the best of each, and which come later."""

    def __init__(self, models: Sequence[Model], known: Interactions, later: Interactions, people: np.ndarray) -> None:
        self.names = tuple(f"model.{model.name}" for model in models)
        values, labels, owners, self.n_right = [], [], [], []
        for start in range(0, len(people), 100):
            part = people[start : start + 100]
            said = np.stack([model.scores(known.histories(part), 0) for model in models], axis=2)
            for row, person in enumerate(part.tolist()):
                seen = np.unique(known.history(person).items)
                right = np.setdiff1d(later.history(person).items, seen)
                scores = said[row] / np.maximum(np.abs(said[row]).max(axis=0), 1e-9)
                scores[seen] = -np.inf
                best = np.unique(np.argpartition(-scores, 60, axis=0)[:60])
                best = best[np.isfinite(scores[best, 0])]
                values.append(scores[best])
                labels.append(np.isin(best, right).astype(float))
                owners.append(np.full(len(best), person))
                self.n_right.append(max(1, len(right)))
        self.values, self.labels = np.concatenate(values).astype(np.float64), np.concatenate(labels)
        self.owners = np.concatenate(owners).astype(np.int64)
        self.starts = np.flatnonzero(np.diff(self.owners, prepend=-1))

    def figures(self, scores: np.ndarray) -> np.ndarray:
        """NDCG@K of each person."""
        parts = zip(
            np.split(scores, self.starts[1:]), np.split(self.labels, self.starts[1:]), self.n_right, strict=True
        )
        return np.array([ndcg(own, labels, n_right) for own, labels, n_right in parts])

    def shown(self) -> ShownItems:
        """As rows to learn from, all looked at."""
        return rows_of(self.names, self.values, self.labels, self.owners, self.owners)


def rows_of(
    names: tuple[str, ...], values: np.ndarray, labels: np.ndarray, decisions: np.ndarray, people: np.ndarray
) -> ShownItems:
    """Lists that were all looked at."""
    n, empty = len(labels), no_rows(names)
    changed = {
        "values": values,
        "rewards": labels,
        "decisions": decisions.astype(np.int64),
        "people": people.astype(np.int64),
        "items": np.zeros(n, np.int32),
        "positions": np.ones(n, np.int32),
        "devices": np.zeros(n, np.int32),
        "device_names": ("",),
        "propensities": np.ones(n),
        "scores": np.zeros(n),
        "times_ms": decisions.astype(np.int64),
    }
    return ShownItems(**{**{name: getattr(empty, name) for name in ShownItems.__dataclass_fields__}, **changed})


def films(folder: Path, n_people: int) -> dict[str, Any]:
    """Models alone, default weights, learned weights and trees, on each person's last fifth."""
    table, items = pq.read_table(folder / "ratings.parquet"), pq.read_table(folder / "items.parquet")
    kept = table.column("pos").to_numpy() >= 0
    users, user = np.unique(table.column("user").to_numpy()[kept], return_inverse=True)
    films_, film = np.unique(table.column("item").to_numpy()[kept], return_inverse=True)
    pos = table.column("pos").to_numpy()[kept].astype(np.int64)
    log = Interactions.from_arrays([str(u) for u in users], [str(i) for i in films_], user, film, times_ms=pos)
    rank = np.arange(len(log)) - log.row_starts[log.user_index]
    part = rank / np.diff(log.row_starts)[log.user_index]
    first, until, last = log.select(part < 0.6), log.select(part < 0.8), log.select(part >= 0.8)
    middle = log.select((part >= 0.6) & (part < 0.8))
    genres = dict(zip(items.column("item").to_pylist(), items.column("genres").to_pylist(), strict=True))
    content = ItemContent(log.item_ids, attributes={"genre": [genres[int(i)].split("|") for i in log.item_ids]})
    chosen = np.sort(np.random.default_rng(0).choice(log.n_users, min(n_people, log.n_users), replace=False))
    unfitted: list[Model] = [
        Ease(l2=300.0), ItemNeighbours(), ImplicitMf(factors=64, seed=1), SequenceRules(), Content(), Popularity()
    ]  # fmt: skip
    sets = []
    for known, later in ((first, middle), (until, last)):
        fitted = []
        for model in unfitted:
            started = time.perf_counter()
            fitted.append(model.fit(known, content))
            tell(f"fitted {model.name} in {time.perf_counter() - started:.0f} s")
        sets.append(Candidates(fitted, known, later, chosen))
    learn, test = sets
    figures = {name: test.figures(test.values[:, place]) for place, name in enumerate(test.names)}
    best = max(range(len(learn.names)), key=lambda place: learn.figures(learn.values[:, place]).mean())
    usual = Weights().of(learn.names, unfitted[best].name)
    figures["default weights"] = test.figures(test.values @ usual)
    signs: list[Sign] = ["positive"] * len(usual)
    shown = learn.shown()
    score = fit_score(shown, usual, signs, EVEN)
    linear = test.values @ score.weights
    figures["learned weights"] = test.figures(linear)
    if lightgbm() is not None:
        forest = grow(shown, score.slope * (shown.values @ score.weights), np.ones(len(shown)))
        figures["trees on top"] = test.figures(score.slope * linear + forest.scores(test.names, test.values))
    single = learn.names[best]
    result: dict[str, Any] = {
        "people": len(chosen), "candidates": round(len(learn.labels) / len(chosen)), "best single model": single,
        "weights": dict(zip(learn.names, score.weights.round(3).tolist(), strict=True)),
    }  # fmt: skip
    for name, found in figures.items():
        gap = difference_interval(found, figures[single], np.random.default_rng(0))
        result[name] = {"ndcg@10": round(float(found.mean()), 4),
                        f"less {single}": [round(v, 4) for v in (gap.low, gap.mean, gap.high)]}  # fmt: skip
        tell(f"{name}: {result[name]}")
    return result


def inputs(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that may be inputs; refuses what is known only after watching."""
    wrong = [name for name in columns if name in BARRED]
    if wrong:
        raise ValueError(f"known only after watching: {', '.join(wrong)}")
    return tuple(columns)


def in_context(folder: Path, n_others: int = 99, n_folds: int = 5) -> dict[str, Any]:
    """NDCG@10 of watched films among others, with and without crosses of context and genre."""
    used = inputs((*CONTEXTS, *GENRES))
    table = pq.read_table(folder / "ratings.parquet", columns=["user", "item", *used])
    user, item = (table.column(name).to_numpy() for name in ("user", "item"))
    genre_of: dict[int, set[int]] = {}
    for film, *genres in zip(item.tolist(), *(table.column(name).to_pylist() for name in GENRES), strict=True):
        genre_of[film] = {genre for genre in genres if genre >= 0}
    all_films, all_genres = np.unique(item), sorted({genre for held in genre_of.values() for genre in held})
    has = np.array([[float(genre in genre_of[film]) for genre in all_genres] for film in all_films.tolist()])
    common = np.flatnonzero(has.mean(axis=0) >= LEAST_SHARE)
    has, all_genres = has[:, common], [all_genres[place] for place in common.tolist()]
    context = {name: table.column(name).to_numpy() for name in CONTEXTS}
    crossed = [(name, value) for name in CONTEXTS for value in np.unique(context[name]).tolist() if value >= 0]
    rng = np.random.default_rng(0)
    fold = rng.integers(0, n_folds, len(user))
    seen_by = {person: set(item[user == person].tolist()) for person in np.unique(user).tolist()}
    place = {film: row for row, film in enumerate(all_films.tolist())}
    asked = []
    for event in range(len(user)):
        free = np.array([place[film] for film in all_films.tolist() if film not in seen_by[int(user[event])]])
        asked.append(np.append(place[int(item[event])], rng.choice(free, n_others, replace=False)))
    figures = {"without context": np.zeros(len(user)), "with context": np.zeros(len(user))}
    for held in range(n_folds):
        known = fold != held
        counts = np.bincount([place[film] for film in item[known].tolist()], minlength=len(all_films))
        taste = {p: has[[place[f] for f in item[known & (user == p)].tolist()]].sum(axis=0) for p in seen_by}

        def values(event: int, counts: np.ndarray = counts, taste: dict[int, np.ndarray] = taste,
                   is_known: bool = False) -> np.ndarray:  # fmt: skip
            films_ = asked[event]
            own = taste[int(user[event])] - (has[films_[0]] if is_known else 0)
            liked = has[films_] @ own / (own.sum() + 3)
            many = counts[films_].astype(float)
            many[0] -= is_known
            plain = np.column_stack([liked, np.log1p(many), has[films_]])
            now = np.array([float(context[name][event] == value) for name, value in crossed])
            return np.hstack([plain, (has[films_][:, None, :] * now[None, :, None]).reshape(len(films_), -1)])

        taught = np.flatnonzero(known)
        learned = np.concatenate([values(event, is_known=True)[:N_TAUGHT] for event in taught.tolist()])
        labels = np.tile(np.append(1.0, np.zeros(N_TAUGHT - 1)), len(taught))
        n_plain = 2 + len(all_genres)
        for name, width in (("without context", n_plain), ("with context", learned.shape[1])):
            spreads = np.concatenate([np.full(2, 3.0), np.full(len(all_genres), 0.5), np.full(width - n_plain, 0.15)])
            prior = Prior(np.zeros(width), spreads[:width], np.full(width, -np.inf), np.full(width, np.inf))
            fit = fit_logistic(Rows.of(learned[:, :width], labels), prior)
            for event in np.flatnonzero(fold == held).tolist():
                right = np.append(1.0, np.zeros(n_others))
                figures[name][event] = ndcg(fit.logits(values(event)[:, :width]), right, 1)
        tell(f"part {held + 1} of {n_folds}")
    gap = difference_interval(
        figures["with context"], figures["without context"], np.random.default_rng(0), groups=user.astype(np.int32)
    )
    return {
        "events": len(user), "people": len(seen_by), "crosses": len(crossed) * len(all_genres),
        **{name: round(float(found.mean()), 4) for name, found in figures.items()},
        "difference by person": [round(v, 4) for v in (gap.low, gap.mean, gap.high)],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a small run: shows that it works")
    parser.add_argument("--worlds", type=int, default=1000, help="planted worlds of each kind")
    parser.add_argument("--people", type=int, default=1500, help="people asked about films")
    parser.add_argument("--data", type=Path, help="folder of films in order")
    parser.add_argument("--contexts", type=Path, help="folder of films in context")
    given = parser.parse_args()
    summary: dict[str, Any] = {}
    n_worlds = 20 if given.short else given.worlds
    if n_worlds:
        summary["planted"] = planted(n_worlds)
    if given.data:
        summary["films in order"] = films(given.data, given.people)
    if given.contexts:
        summary["films in context"] = in_context(given.contexts)
    emit(summary)


if __name__ == "__main__":
    main()
