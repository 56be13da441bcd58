"""One decision that is to be made: what is asked, for whom, with which snapshot, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bespeak.decide.launch import Assigned
from bespeak.decide.person import PersonView
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World
from bespeak.signals.decisions import Mode
from bespeak.signals.ids import IdKey


@dataclass(frozen=True, eq=False)
class Occasion:
    """Everything that one decision goes by; the same occasion gives the same decision.

    Attributes:
        request: what is asked.
        person: who it is for; None when nobody is recognised.
        world: the snapshot to decide with.
        now_ms: the moment.
        decision_id: of the record; the same id repeats its draws. "" where nothing is drawn or recorded.
        assigned: the experiment that the person takes part in.
        ids: the ids of the request, the strongest first: what splits and roll-outs go by.
        is_preview: the newest policy decides, nothing is drawn where a placement explores, and no shadow decides
            beside.
    """

    request: DecideRequest
    person: PersonView | None
    world: World
    now_ms: int
    decision_id: str = ""
    assigned: Assigned | None = None
    ids: Sequence[IdKey] = ()
    is_preview: bool = False

    @property
    def is_unread(self) -> bool:
        """Whether an experiment lets nothing about the person be read: they are on the control of a launch."""
        return self.assigned is not None and self.assigned.is_unread

    @property
    def whom(self) -> PersonView | None:
        """Who it is decided for: nobody in particular where nothing about the person may be read."""
        return None if self.is_unread else self.person

    @property
    def readable(self) -> PersonView | None:
        """The person where a decision may go by them."""
        return self.whom if self.mode != "non_profiled" else None

    @property
    def mode(self) -> Mode:
        """As `mode_of`."""
        return mode_of(self.whom)

    @cached_property
    def reading(self) -> Reading:
        """What the profile says; policies that decide side by side share it, and with it what the models say."""
        return Reading.of(self.readable, self.world, self.now_ms)

    @property
    def draw(self) -> str:
        """What is drawn by where a placement explores; "" takes the best.

        A control is the best slate of its kind, so it never explores.
        """
        return "" if self.is_preview or self.is_unread else self.decision_id


def mode_of(person: PersonView | None) -> Mode:
    """What a decision goes by: a profile (profiled), nothing known of anybody (anonymous), or a refusal (non_profiled).

    A device's own history is a profile too: whoever is shown a personal slate is told so.
    """
    if person is None:
        return "anonymous"
    if not person.can_personalize:
        return "non_profiled"
    return "anonymous" if person.is_unknown and not person.is_identified else "profiled"
