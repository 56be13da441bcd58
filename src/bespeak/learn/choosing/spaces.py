"""What training tries: per family where it starts and which settings it may change, fixed by the data's size alone."""

from __future__ import annotations

from bespeak.learn.choosing.protocols import Asked
from bespeak.learn.choosing.tuning import Space
from bespeak.models.base import Interactions, ItemContent
from bespeak.models.content import Content
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.ease import Ease
from bespeak.models.item_weights.graph_filter import GraphFilter
from bespeak.models.item_weights.slist import Slist
from bespeak.models.item_weights.sparse_inverse import SparseInverse
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.neighbours.tifu_knn import TifuKnn
from bespeak.models.popular.personal_frequency import PersonalFrequency
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import DAY_MS, RecentPopularity
from bespeak.models.popular.segment_popularity import SegmentPopularity
from bespeak.models.popular.trending import Trending
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.sequences.session_links import SessionLinks
from bespeak.models.sequences.transformer import Transformer

_EASE_MAX_ITEMS = 6_000
"""Above it the sparse inverse is as good and takes a tenth of the time."""
_DENSE_MAX_ITEMS = 15_000
"""Above it a matrix of items by items takes minutes and gigabytes; sparse and factored models stand in."""
_FEW_FACTORS_BELOW_EVENTS = 1_000_000
_TRANSFORMER_FROM_EVENTS = 50_000
"""Below it a transformer learns little that rules do not know."""
_FACTORS_MAX_ROWS = 1_500_000
"""People and items above which factors with attributes, a small solve for each in NumPy, take minutes a fit."""
_FEWER_PASSES = {"max_likes": 7_000_000}
"""Enough to see what a transformer adds to a blend: on large logs a third of the passes that the model in use gets."""
_WINDOWS_DAYS = (3.0, 7.0, 14.0, 30.0, 90.0)


def default_spaces(
    interactions: Interactions,
    content: ItemContent | None,
    *,
    asked: Asked = "served",
    allows_seen: bool = False,
    seed: int = 0,
) -> list[Space]:
    """The families worth trying on data of this size. The same data gives the same list.

    Models that hold people are left out where people are served: they are only used where somebody asks for them.
    Only where items may come again, which is asked of benchmarks alone, people of like habits speak too.

    Example:
        >>> [space.start.name for space in default_spaces(Interactions.from_events([], []), None)]
        ['popularity']
    """
    spaces = [Space(Popularity())]
    if not len(interactions):
        return spaces
    if interactions.has_times:
        spaces += _by_date(interactions)
    if interactions.is_ordered:
        spaces += _by_order(interactions, asked, seed)
    spaces.append(Space(ItemNeighbours(shrinkage=10.0), {"shrinkage": (10.0, 100.0)}))
    if interactions.n_items <= _EASE_MAX_ITEMS:
        spaces.append(Space(Ease(l2=150.0), {"l2": (50.0, 150.0, 500.0, 1500.0)}))
    if asked != "strangers":
        factors = 32 if len(interactions) < _FEW_FACTORS_BELOW_EVENTS else 96
        spaces.append(Space(ImplicitMf(factors=factors, l2=20.0, alpha=10.0, seed=seed), {"alpha": (2.0, 10.0)}))
        filters = {"scored": (0.1, 0.25, 0.4), "factors": (128, 512)}
        spaces.append(Space(GraphFilter(scored=0.25, factors=512, seed=seed), filters, is_source=False))
        ridges = {"person": (0.0, 0.4), "l2": (50.0, 100.0, 200.0)}
        spaces.append(Space(SparseInverse(person=0.0, l2=100.0), ridges, is_source=False))
    if allows_seen:
        spaces.append(Space(PersonalFrequency(), {"step_decay": (0.5, 1.0)}))
        spaces.append(Space(TifuKnn(), {"own": (0.5, 0.7, 0.9)}, is_source=False))
    if interactions.traits is not None:
        votes = (False, True) if interactions.has_times else (False,)
        spaces.append(Space(SegmentPopularity(), {"recent": votes}, is_source=False))
    if _tells(interactions, content) and not _is_too_large(interactions):
        spaces.append(Space(AttributeFactors(l2=20.0, seed=seed), {"l2": (5.0, 20.0, 50.0)}, is_source=False))
    if content is not None and (content.texts or content.attributes or content.numbers):
        spaces.append(Space(Content()))
    return spaces


def missing(interactions: Interactions, content: ItemContent | None = None, *, asked: Asked = "served") -> list[str]:
    """What would be worth trying but needs an extra that is not installed, or takes too long here, in sentences."""
    said = []
    if _wants_transformer(interactions, asked) and not Transformer.can_fit():
        said.append("Left out: the transformer over sequences needs the extra 'deep' (pip install 'bespeak[deep]').")
    if _tells(interactions, content) and _is_too_large(interactions):
        said.append(f"Left out: factors with attributes take too long above {_FACTORS_MAX_ROWS:,} people and items.")
    return said


def n_trials(interactions: Interactions) -> int:
    """Settings tried for each family besides its start: fewer where a fit takes long."""
    cells = len(interactions) + interactions.n_items**2 // 100
    return 8 if cells < 300_000 else 5 if cells < 1_500_000 else 3


def _by_date(interactions: Interactions) -> list[Space]:
    span_days = (interactions.last_ms - int(interactions.times_ms.min())) / DAY_MS
    windows = tuple(days for days in _WINDOWS_DAYS if days < span_days / 2)
    spaces = [Space(RecentPopularity()), Space(Trending())]  # the first chooses its window by itself
    if windows:
        middle = windows[len(windows) // 2]
        spaces.append(Space(RecentPopularity(window_days=middle), {"window_days": windows}))
    return spaces


def _by_order(interactions: Interactions, asked: Asked, seed: int) -> list[Space]:
    spaces = [Space(SequenceRules(), {"norm": (0.15, 0.3, 0.5)})]
    if interactions.n_items <= _DENSE_MAX_ITEMS:
        steps = {"l2": (30.0, 100.0, 300.0), "memory": (4.0, 8.0, 16.0)}
        spaces.append(Space(Slist(l2=100.0, memory=8.0), steps, is_source=False))
    links = {"recency": (None, 0.0), "item_rarity": (0.1, 0.3), "second_step": (0.5, 1.5)}
    spaces.append(Space(SessionLinks(), links, is_source=False))
    if _wants_transformer(interactions, asked) and Transformer.can_fit():
        spaces.append(Space(Transformer(seed=seed), is_source=False, while_choosing=_FEWER_PASSES))
    return spaces


def _tells(interactions: Interactions, content: ItemContent | None) -> bool:
    """Whether anything is known of people or items besides what was done."""
    return interactions.traits is not None or (content is not None and bool(content.attributes))


def _is_too_large(interactions: Interactions) -> bool:
    return interactions.n_users + interactions.n_items > _FACTORS_MAX_ROWS


def _wants_transformer(interactions: Interactions, asked: Asked) -> bool:
    return asked != "strangers" and interactions.is_ordered and len(interactions) >= _TRANSFORMER_FROM_EVENTS
