"""The record of a slate that another system chose and showed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bespeak.decide.decide import recorded_person, under
from bespeak.decide.occasion import Occasion, mode_of
from bespeak.decide.request import MAX_LISTED, context_record
from bespeak.decide.trial import INCUMBENT
from bespeak.errors import InvalidInput
from bespeak.signals.decisions import Decision, ShownItem

NOT_THEIRS = "Not counted for experiment {}: this person is in its arm '{}', which is not the other system's to show."


class ForeignItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that another system showed.

    Attributes:
        score: its own score; propensity: the probability with which it put the item here given what stands before,
            None where it does not say.
    """

    id: str
    score: float = 0.0
    propensity: float | None = None


def foreign_slate(occasion: Occasion, items: Sequence[ForeignItem]) -> Decision:
    """Returns the record of what was shown, in the order shown; of an item that stands twice the first place counts.

    It stands under the person's experiment where they are in an arm that is another system's to show; else a note says
    so. Nothing is claimed about propensities that are not given: they are 0 in the record.

    Raises:
        UnknownName: there is no such placement.
        InvalidInput: no items or too many, a propensity that is none, or a score that is not finite.
    """
    request, person, world = occasion.request, occasion.person, occasion.world
    world.placement(request.placement)
    if not 1 <= len(items) <= MAX_LISTED:
        raise InvalidInput(f"`items` has {len(items)} entries.", hint=f"Give 1 to {MAX_LISTED}.")
    if any(item.propensity is not None and not 0 < item.propensity <= 1 for item in items):
        raise InvalidInput("A propensity lies outside 0 to 1.", hint="Leave it out where it is not known.")
    if any(item.score - item.score != 0 for item in items):
        raise InvalidInput("A score is not a finite number.", hint="Leave it out.")
    mode, places = mode_of(person), dict[str, tuple[int, ForeignItem]]()
    for position, item in enumerate(items, 1):
        places.setdefault(item.id, (position, item))
    decision = Decision(
        decision_id=occasion.decision_id,
        time_ms=occasion.now_ms,
        placement=request.placement,
        mode=mode,
        policy=INCUMBENT,
        items=tuple(
            ShownItem(item_id=item.id, position=position, score=item.score, propensity=item.propensity or 0.0)
            for position, item in places.values()
        ),
        person=recorded_person(person, mode, world),
        config_version=world.config_version,
        catalogue_version=world.catalogue.version,
        context=context_record(request.context),
        query=request.query,
        purposes=person.purposes if person is not None else 0,
    )
    assigned = occasion.assigned
    if assigned is None:
        return decision
    trials = {trial.name: trial for trial in world.trials.get(request.placement, ())}
    trial = trials.get(assigned.experiment)
    if trial is not None and assigned.variant in trial.arms and trial.arms[assigned.variant] is None:
        return under(assigned, decision)
    return msgspec.structs.replace(decision, notes=(NOT_THEIRS.format(assigned.experiment, assigned.variant),))
