"""The launch experiment of a placement: does personalizing it help at all?

People who may be measured are spread over `personalized` and `control`, the best slate that reads nothing about a
person. Once that is decided, a small holdout stays on the control for good; both draw on one hash, so whoever is held
out was in the control before, and the others change over together.
"""

from __future__ import annotations

from dataclasses import dataclass

from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.measure.assignment import Experiment

CONTROL = "control"
PERSONALIZED = "personalized"


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an experiment says of one decision.

    Attributes:
        launch: (experiment, variant) of the placement's launch that the person takes part in beside this experiment.
        is_unread: whether nothing about the person may be read: they are the control of a launch or holdout.
    """

    experiment: str
    variant: str
    launch: tuple[str, str] | None = None
    is_unread: bool = False

    @classmethod
    def to_launch(cls, experiment: str, variant: str) -> Assigned:
        """What a launch or holdout says: its control reads nothing."""
        return cls(experiment, variant, is_unread=variant == CONTROL)


def launch_of(placement: Placement | VariantPlacement, seed: int, *, is_decided: bool) -> Experiment | None:
    """The experiment that a placement runs now, None where its `launch` is 0.

    Args:
        placement: with its shares of people on the control.
        seed: of the project.
        is_decided: whether the launch has its answer, so that only the holdout is left.

    Example:
        >>> home = Placement(name="home", launch=0.5, holdout=0.05)
        >>> [launch_of(home, 1, is_decided=decided).name for decided in (False, True)]
        ['home-launch', 'home-holdout']
    """
    share = placement.holdout if is_decided else placement.launch
    if not placement.launch or not share:
        return None
    return Experiment(
        name=f"{placement.name}-{'holdout' if is_decided else 'launch'}",
        variants=((CONTROL, share), (PERSONALIZED, 1.0 - share)),
        seed=f"{seed}:{placement.name}",
    )
