from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pytest

from bespeak.learn.choosing.blending import find_blend
from bespeak.learn.choosing.ranked import Ranked
from bespeak.learn.leaderboard import judge
from bespeak.learn.splits import Split, per_person
from bespeak.models import Ease, History, Interactions, ItemContent, Model, SequenceRules


@dataclass(frozen=True, eq=False)
class Noise(Model):
    """Says the same random things to everybody."""

    name: ClassVar[str] = "noise"
    personal: ClassVar[bool] = False

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        noise = np.random.default_rng(1).random(interactions.n_items).astype(np.float32)
        return self._fitted(interactions.item_ids, {"noise": noise})

    def scores(self, histories: Sequence[History], now_ms: int) -> np.ndarray:
        return np.tile(self._array("noise"), (len(histories), 1))


def asked(models: Sequence[Model], cut: Split) -> list[Ranked]:
    """The lists of models that are fitted on a cut."""
    return [Ranked.deep(model.fit(cut.fit), cut, 10, lambda: 0.0) for model in models]


def test_noise_is_not_blended_in(tasteful_log) -> None:
    cut = per_person(tasteful_log)
    found = find_blend([asked([Ease(l2=20.0), Noise()], cut)], [cut], 10)
    assert found.positions == (0,)
    assert found.weights == (1.0,)


@dataclass(frozen=True, eq=False)
class Half(Model):
    """Knows the whole history of one taste of people and nothing of the others."""

    name: ClassVar[str] = "half"

    parity: int

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        return self._fitted(interactions.item_ids, {})

    def scores(self, histories: Sequence[History], now_ms: int) -> np.ndarray:
        scores = np.zeros((len(histories), len(self.item_ids)), np.float32)
        for row, history in enumerate(histories):
            if len(history) and history.items[0] % 2 == self.parity:
                scores[row, self.parity :: 2] = 1
        return scores


def test_two_models_that_each_know_half_of_the_people_are_both_taken() -> None:
    users = [f"u{user:02}" for user in range(40) for _ in range(10)]
    items = [f"i{2 * step + user % 2:02}" for user in range(40) for step in range(10)]
    cut = per_person(Interactions.from_events(users, items, times_ms=range(400)))
    found = find_blend([asked([Half(0), Half(1)], cut)], [cut], 10)
    assert found.positions == (0, 1)
    assert found.ndcg == pytest.approx(1)


def test_the_pool_gives_the_figure_that_ranking_all_items_gives(tasteful_log) -> None:
    cut = per_person(tasteful_log)
    model = Ease(l2=20.0).fit(cut.fit)
    assert find_blend([asked([model], cut)], [cut], 10).ndcg == pytest.approx(judge(model, cut, 10).ndcg, abs=1e-9)


def test_several_cuts_are_judged_together(tasteful_log) -> None:
    cuts = [per_person(tasteful_log), per_person(tasteful_log, 0.6)]
    models = [asked([Ease(l2=20.0), SequenceRules()], cut) for cut in cuts]
    alone = [judge(Ease(l2=20.0).fit(cut.fit), cut, 10) for cut in cuts]
    together = np.concatenate([judged.figures.ndcg for judged in alone]).mean()
    assert find_blend(models, cuts, 10).ndcg >= together
