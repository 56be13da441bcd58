"""Finding good settings: a race of families, then a walk along each setting of those that lead.

Every family starts from settings that are usually good. Those whose first figure is far behind stop there (they may
still help a blend); the others change one setting at a time and go on in the direction that improves. Trials are
counted, so the same data and seed give the same settings; time is only a cap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bespeak.models.base import Model

_IN_THE_RACE = 0.7
"""Share of the best first figure that a family needs to be tuned further."""

Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where the settings of one family are looked for.

    Attributes:
        start: unfitted, with usual settings.
        axes: setting -> values in order, the most telling setting first; each holds the value of `start`.
        while_choosing: settings that hold only while candidates are compared. A family with any is slow: it is tried
            only where the choice is made.
        is_source: whether decisions draw candidates and features from it in any case; others are only fitted on
            everything when the chosen model is made of them, as each model costs every decision some time.
    """

    start: Model
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    is_source: bool = True
    while_choosing: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.axes.items():
            if getattr(self.start, name) not in values:
                raise ValueError(f"the axis {name} of {self.start.name} does not hold where it starts")


def tune(
    spaces: Sequence[Space],
    judge: Callable[[Model], Judged],
    figure: Callable[[Judged], float],
    *,
    n_trials: int,
    is_late: Callable[[], bool] = lambda: False,
) -> list[Judged]:
    """The best judgement of each space, in the order given.

    Args:
        spaces: where to look.
        judge: fits and asks a model.
        figure: of a judgement, higher is better.
        n_trials: settings tried for each family that is in the race, besides its start.
        is_late: whether time is up; then nothing more is tried than the start of each family.
    """
    best = [judge(space.start) for space in spaces]
    lead = max(map(figure, best), default=0.0)
    for place, space in enumerate(spaces):
        if space.axes and figure(best[place]) >= _IN_THE_RACE * lead:
            best[place] = _walk(space, best[place], judge, figure, n_trials, is_late)
    return best


def _walk(
    space: Space,
    judged: Judged,
    judge: Callable[[Model], Judged],
    figure: Callable[[Judged], float],
    n_trials: int,
    is_late: Callable[[], bool],
) -> Judged:
    model, best = space.start, judged
    n_left = n_trials
    for setting, values in space.axes.items():
        begin = list(values).index(getattr(model, setting))
        for step in (1, -1):
            place = begin + step
            while 0 <= place < len(values) and n_left > 0 and not is_late():
                trial = replace(model, **{setting: values[place]})  # type: ignore[type-var]
                tried = judge(trial)
                n_left -= 1
                if figure(tried) <= figure(best):
                    break
                model, best = trial, tried
                place += step
            if place != begin + step:
                break  # it got better this way, so the other way is worse
    return best
