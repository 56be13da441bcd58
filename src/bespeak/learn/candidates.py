"""What training tries: a few families with a few settings each, fixed by the size of the data alone."""

from __future__ import annotations

from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.content import Content
from bespeak.models.ease import Ease
from bespeak.models.implicit_mf import ImplicitMf
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.popularity import Popularity
from bespeak.models.recent_popularity import DAY_MS, RecentPopularity
from bespeak.models.sequence_rules import SequenceRules
from bespeak.models.trending import Trending

_EASE_MAX_ITEMS = 12_000
"""Above it EASE takes minutes and gigabytes; iALS and item neighbours stand in."""
_FEW_FACTORS_BELOW_EVENTS = 1_000_000


def default_candidates(interactions: Interactions, content: ItemContent | None, *, seed: int = 0) -> list[Model]:
    """The models worth trying on data of this size. The same data gives the same list.

    User neighbours are left out: they hold people, so they are only used where somebody asks for them.

    Example:
        >>> names = {model.name for model in default_candidates(Interactions.from_events([], []), None)}
        >>> sorted(names)
        ['popularity']
    """
    models: list[Model] = [Popularity()]
    if not len(interactions):
        return models
    if interactions.has_times:
        span_days = (interactions.last_ms - int(interactions.times_ms.min())) / DAY_MS
        windows = [days for days in (3.0, 7.0, 14.0, 30.0, 90.0) if days < span_days / 2]
        models += [RecentPopularity(), *(RecentPopularity(window_days=days) for days in windows), Trending()]
        models += [SequenceRules(norm=norm) for norm in (0.5, 0.3, 0.15)]
    models += [ItemNeighbours(shrinkage=shrinkage) for shrinkage in (10.0, 100.0)]
    if interactions.n_items <= _EASE_MAX_ITEMS:
        models += [Ease(l2=l2) for l2 in (50.0, 150.0, 500.0)]
    factors = 32 if len(interactions) < _FEW_FACTORS_BELOW_EVENTS else 96
    models += [ImplicitMf(factors=factors, l2=20.0, alpha=alpha, seed=seed) for alpha in (2.0, 10.0)]
    if content is not None and (content.texts or content.attributes or content.numbers):
        models.append(Content())
    return models
