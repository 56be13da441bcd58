"""Which variant is shown: the first line that holds, else what is learned or the split, else the default.

The propensity in the record is 1 for a line and for the default, and the share for a split. A split goes by a hash of
the visitor's id, so who comes again sees the same; a visitor without any id is drawn by the decision's id. Where it is
learned, the variant is drawn for each decision from the probabilities that `bandits` gives; its own is logged, with the
features that it went by. Of somebody who refused profiling nothing is read and nothing is tried on them: they get what
earns most over all. So does a preview, with what is known of the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.decide import recorded_person, under
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest, context_record
from bespeak.decide.slates.exploration import generator_of
from bespeak.decide.trial import Policy
from bespeak.decide.variants.bandits import Posterior, drawn_arm
from bespeak.decide.variants.context import entry_of, features_of, vector_of
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.variants.when import context_values, record_for
from bespeak.errors import InvalidInput
from bespeak.signals.decisions import Decision, Mode, Reason, ShownItem
from bespeak.signals.ids import ANONYMOUS_ID

Float64s: TypeAlias = npt.NDArray[np.float64]
Source = Literal["rule", "split", "learned", "default"]

NOT_LEARNED = "nothing has come of any variant yet, so all count as equally good"


class Taken(NamedTuple):
    """One variant, how it was decided, with which probability, and why.

    Attributes:
        reasons: the terms of the score; the first has the sentence.
        features: what was learned by.
        others: (variant, score) of those not shown.
    """

    variant: str
    source: Source
    propensity: float
    reasons: tuple[Reason, ...]
    score: float = 0.0
    features: Mapping[str, float] = MappingProxyType({})
    others: tuple[tuple[str, float], ...] = ()


def decide_variant(occasion: Occasion, policy: Policy | None = None) -> Decision:
    """Makes one decision at a variant placement.

    Args:
        occasion: what is asked, for whom, with which snapshot, when; of the request only placement, context and market
            are read. The control of an experiment gets the default.
        policy: what decides in place of the placement's own.

    Returns:
        The record: one shown "item", whose id is the variant's.

    Raises:
        UnknownName: there is no such placement.
        InvalidInput: the request asks for items.
    """
    placement = occasion.world.variant_placement(occasion.request.checked().placement)
    if policy is not None and isinstance(policy.settings, VariantPlacement):
        placement = policy.settings
    _refuse_lists(occasion.request)
    if occasion.assigned is not None and occasion.is_unread:
        taken = _default(placement, "the default, which the control gets")
        return under(occasion.assigned, _record(occasion, taken, occasion.mode))
    taken = (
        _by_line(placement, occasion)
        or _by_learning(placement, occasion)
        or _by_split(placement, occasion)
        or _default(placement)
    )
    decision = _record(occasion, taken, occasion.mode)
    if policy is not None:
        decision = msgspec.structs.replace(decision, policy=policy.name)
    return decision if occasion.assigned is None else under(occasion.assigned, decision)


def default_variant(occasion: Occasion, note: str = "") -> Decision:
    """The default, for when a decision fails or takes too long; errors as `decide_variant`."""
    placement = occasion.world.variant_placement(occasion.request.checked().placement)
    _refuse_lists(occasion.request)
    return _record(occasion, _default(placement), "fallback", (note,) if note else ())


def _refuse_lists(request: DecideRequest) -> None:
    asked = {"items": request.items is not None, "query": request.query, "filter": request.filter}
    for field, is_given in asked.items():
        if is_given:
            problem = f"`{field}` means nothing at '{request.placement}', which shows one of its variants."
            raise InvalidInput(problem, hint="Leave it out.")


def _by_line(placement: VariantPlacement, occasion: Occasion) -> Taken | None:
    if not placement.lines:
        return None
    world, now_ms = occasion.world, occasion.now_ms
    record = record_for(occasion.whom, placement.segments, world.classes, world.purposes.all, now_ms)
    context = context_values(occasion.request.context)
    for line in placement.lines:
        if line.rule.test(record, now_ms, context):
            return Taken(line.variant, "rule", 1.0, _because("rule", line.rule.text))
    return None


def _by_learning(placement: VariantPlacement, occasion: Occasion) -> Taken | None:
    """What is learned; drawn, or for a preview taken by the score."""
    settings, world = placement.settings, occasion.world
    if settings.learn is None:
        return None
    posterior = world.posterior(placement)
    if occasion.mode == "non_profiled":
        averages = posterior.averages()
        arm = int(np.argmax(averages))
        text = "earns most over all" if posterior.has_rows else NOT_LEARNED
        reason = Reason(signal="average", value=1.0, weight=float(averages[arm]), contribution=float(averages[arm]),
                        text=text)  # fmt: skip
        others = _others(placement.arms, averages, arm)
        return Taken(placement.arms[arm], "learned", 1.0, (reason,), float(averages[arm]), others=others)
    features = features_of(settings.features, occasion.whom, occasion.request.context, placement.feature_segments)
    x = vector_of(features, settings.dimension)
    estimates = posterior.estimates(x)
    if occasion.draw:
        generator = generator_of(world.seed, placement.name, occasion.draw)
        usual = posterior.usual(settings.learn, x, settings.width, generator)
        arm, propensity = drawn_arm(usual, settings.explore, generator)
    else:
        arm, propensity = int(np.argmax(estimates)), 1.0
    reasons = _terms(posterior, features, arm, settings.dimension)
    others = _others(placement.arms, estimates, arm)
    return Taken(placement.arms[arm], "learned", propensity, reasons, float(estimates[arm]), features, others)


def _terms(posterior: Posterior, features: Mapping[str, float], arm: int, dimension: int) -> tuple[Reason, ...]:
    """The terms of an arm's estimate: they add up to it."""
    theta = posterior.theta[arm]
    base = posterior.mean + float(theta[0])
    text = _earned(posterior, arm, base, is_of_anybody=not features)
    terms = [Reason(signal="average", value=1.0, weight=base, contribution=base, text=text)]
    for name, value in features.items():
        weight = float(theta[entry_of(name, dimension)])
        terms.append(Reason(signal=name, value=value, weight=weight, contribution=weight * value, text=name))
    return tuple(terms)


def _earned(posterior: Posterior, arm: int, base: float, *, is_of_anybody: bool) -> str:
    """What an arm earned so far, as its owner would say it.

    Args:
        base: its estimate where nothing is known of the visitor.
        is_of_anybody: whether that is its whole estimate.
    """
    if not posterior.has_rows:
        return NOT_LEARNED
    n_shown = int(np.ceil(posterior.sums.n_rows[arm]))  # a time of which more may still come counts in part
    if not n_shown:
        return f"has not been shown yet; the others earn about {posterior.mean:.3g} a time"
    whom = "" if is_of_anybody else " for a visitor of whom nothing is known"
    return f"earns about {base:.3g} a time{whom}; shown so far: {n_shown:,}"


def _others(arms: Sequence[str], scores: Float64s, taken: int) -> tuple[tuple[str, float], ...]:
    return tuple((arm, float(score)) for n, (arm, score) in enumerate(zip(arms, scores, strict=True)) if n != taken)


def _by_split(placement: VariantPlacement, occasion: Occasion) -> Taken | None:
    split = placement.experiment(occasion.world.seed)
    if split is None:
        return None
    wanted = [key for key in occasion.ids if placement.settings.sticky == "person" or key.kind == ANONYMOUS_ID]
    unit = wanted[0].value if wanted else f"decision:{occasion.decision_id}"
    variant = split.variant_of(unit)
    if variant is None:  # shares whose sum is a rounding below 1 leave a gap at the end
        variant = placement.settings.default
    share = split.expected()[variant]
    return Taken(variant, "split", share, _because("split", f"{100 * share:.4g} % of the visitors see it"))


def _default(placement: VariantPlacement, text: str = "the default") -> Taken:
    return Taken(placement.settings.default, "default", 1.0, _because("default", text))


def _because(source: Source, text: str) -> tuple[Reason, ...]:
    return (Reason(signal=source, value=1.0, weight=0.0, contribution=0.0, text=text),)


def _record(occasion: Occasion, taken: Taken, mode: Mode, notes: tuple[str, ...] = ()) -> Decision:
    """The record of what was taken."""
    request, person, world = occasion.request, occasion.person, occasion.world
    shown = ShownItem(
        item_id=taken.variant,
        position=1,
        score=taken.score,
        propensity=taken.propensity,
        sources=(taken.source,),
        reasons=taken.reasons,
        features=dict(taken.features),
    )
    return Decision(
        decision_id=occasion.decision_id,
        time_ms=occasion.now_ms,
        placement=request.placement,
        kind="variant",
        mode=mode,
        policy=world.policy(request.placement),
        items=(shown,),
        person=recorded_person(person, mode, world),
        config_version=world.config_version,
        n_candidates=len(world.variant_placement(request.placement).settings.variants),
        candidates=taken.others,
        context=context_record(request.context),
        purposes=person.purposes if person is not None else 0,
        notes=notes,
    )
