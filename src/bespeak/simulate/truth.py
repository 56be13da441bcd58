"""What each policy would have brought: the same world, played once under each, person by person.

The people, their luck and their days are the same in every play (common random numbers), so the difference between two
policies is a fact about this world and not an estimate. An experiment on it estimates that fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Faults
from bespeak.simulate.crowd.people import RESPONSES
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.doing.mailing import Mailing, mail_everybody
from bespeak.simulate.life import Day, play
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.policies import Experiment, Policy
from bespeak.simulate.world import World

RETAINED_DAYS = 14

_COUNTED = {
    "clicks": Act.CLICKED,
    "adds": Act.ADDED,
    "checkouts": Act.CHECKOUT,
    "orders": Act.ORDERED,
    "refunds": Act.REFUNDED,
    "shares": Act.SHARED,
    "plays": Act.STARTED,
    "completions": Act.COMPLETED,
    "ratings": Act.RATED,
    "mails": Act.MAILED,
    "mail_opens": Act.OPENED,
    "mail_clicks": Act.FOLLOWED,
    "unsubscribes": Act.UNSUBSCRIBED,
}
_SUMMED = {
    "revenue": (Act.ORDERED,),
    "refunded": (Act.REFUNDED,),
    "minutes": (Act.STOPPED, Act.COMPLETED),
    "stars": (Act.RATED,),
}
METRICS = (
    "visits", "slots", "expected_clicks", *_COUNTED, *_SUMMED, "engaged", "converted", "retained", "left", "withdrew",
)  # fmt: skip
"""What is known of each person. `revenue` and `refunded` are in minor units; `expected_clicks` is the sum of the exact
click probabilities of what they met; `stars` is the sum of the ratings; `engaged`, `converted`, `retained` (came in the
last 14 days), `left` and `withdrew` are 0 or 1."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What one policy brings, person by person.

    Attributes:
        values: metric -> float64[n_people], from `from_day` on.
        before: the same up to `from_day`: the pre-period of an experiment.
    """

    values: Mapping[str, NDArray[np.float64]]
    before: Mapping[str, NDArray[np.float64]]

    def mean(self, metric: str) -> float:
        """The mean over all people, those included who never came."""
        return float(self.values[metric].mean())


@dataclass(frozen=True, eq=False)
class Truth:
    """The outcomes of several policies on one world.

    Attributes:
        outcomes: policy -> outcomes.
        control: the policy that the others are compared with.
    """

    outcomes: Mapping[str, Outcomes]
    control: str

    def difference(self, policy: str, metric: str) -> float:
        """Mean under the policy less mean under the control: exact for this world."""
        return self.outcomes[policy].mean(metric) - self.outcomes[self.control].mean(metric)

    def lift(self, policy: str, metric: str) -> float | None:
        """The difference as a share of the control's mean; None where that is zero."""
        base = self.outcomes[self.control].mean(metric)
        return self.difference(policy, metric) / base if base else None

    def to_json(self) -> dict[str, Any]:
        """Means of all policies and lifts over the control."""
        others = [name for name in self.outcomes if name != self.control]
        return {
            "control": self.control,
            "means": {name: {m: found.mean(m) for m in METRICS} for name, found in self.outcomes.items()},
            "lifts": {name: {m: self.lift(name, m) for m in METRICS} for name in others},
        }


class Tally:
    """Adds up days into outcomes.

    Args:
        world: the world.
        from_day: first day that counts; the days before it are the pre-period.
    """

    def __init__(self, world: World, from_day: int = 0) -> None:
        self._world = world
        self._from_day = from_day
        n = len(world.people_truth)
        self._after, self._before = ({name: np.zeros(n) for name in METRICS} for _ in range(2))

    def add(self, day: Day) -> None:
        """Counts one day."""
        sums = self._after if day.number >= self._from_day else self._before
        world, acts = self._world, day.acts
        n = len(world.people_truth)
        usual = day.visits.person[: day.n_usual]
        sums["visits"][usual] += 1
        sums["slots"][usual] += (day.slates.items >= 0).sum(axis=1)
        sums["expected_clicks"][usual] += day.expected_clicks
        person = day.visits.person[acts.visit]
        for name, act in _COUNTED.items():
            sums[name] += np.bincount(person[acts.kind == act], minlength=n)
        for name, kinds in _SUMMED.items():
            chosen = np.isin(acts.kind, kinds)
            sums[name] += np.bincount(person[chosen], acts.value[chosen], minlength=n)
        sums["left"][day.left] = 1
        if day.number >= world.n_days - RETAINED_DAYS:
            sums["retained"][usual] = 1

    def outcomes(self) -> Outcomes:
        """What came together."""
        for sums in (self._after, self._before):
            sums["engaged"] = (sums["clicks"] > 0).astype(np.float64)
            sums["converted"] = (sums["orders"] > 0).astype(np.float64)
        days = self._world.people_truth.withdraw_day
        self._after["withdrew"] = ((days >= self._from_day) & (days < self._world.n_days)).astype(np.float64)
        return Outcomes(self._after, self._before)


def outcomes_of(world: World, policy: Policy, mailing: Mailing = mail_everybody, *, from_day: int = 0) -> Outcomes:
    """Plays a world under a policy and returns what it brings."""
    tally = Tally(world, from_day)
    for day in play(world, policy, mailing):
        tally.add(day)
    return tally.outcomes()


def truth_of(world: World, policies: Mapping[str, Policy], control: str, *, from_day: int = 0) -> Truth:
    """Plays a world once under each policy.

    Args:
        world: the world.
        policies: name -> policy.
        control: name of the one to compare with; before `from_day` everybody sees it.
        from_day: first day that counts.
    """
    found = {}
    for name, policy in policies.items():
        all_of_them = world.experiment(policy, policies[control], share=1.0, from_day=from_day)
        found[name] = outcomes_of(world, all_of_them if from_day else policy, from_day=from_day)
    return Truth(found, control)


def planted(world: World, faults: Faults | None = None) -> dict[str, Any]:
    """Every planted value of a world, readable: what estimates are checked against."""
    drift_day = world.behaviour.drift_day
    return {
        "world": world.name,
        "seed": world.seed,
        "n_people": len(world.people_truth),
        "n_items": len(world.stock.ids),
        "start_ms": world.start_ms,
        "end_ms": world.end_ms,
        "weights": {"base": world.weights.base, **world.weights.by_feature()},
        "position_curve": world.position_curve.tolist(),
        "behaviour": world.behaviour.to_json(),
        "drift_ms": None if drift_day is None else world.start_ms // DAY_MS * DAY_MS + drift_day * DAY_MS,
        "faults": {} if faults is None else {name: share for name, share in vars(faults).items() if share},
    }


def people_rows(world: World, experiment: Experiment | None = None) -> list[dict[str, Any]]:
    """The hidden truth about everybody, one row each: ids, consent, response, group, arm."""
    ids: dict[int, list[str]] = {}
    for anonymous_id, owners in world.identities.truth(world.n_days).items():
        for owner in owners:
            ids.setdefault(owner, []).append(anonymous_id)
    people_truth = world.people_truth
    arms = None if experiment is None else experiment.arm(np.arange(len(people_truth)))
    rows = []
    for person in world.people():
        index = person.index
        day = int(people_truth.withdraw_day[index])
        rows.append(
            {
                "person": index,
                "user": person.user_id,
                "profile": person.profile_id,
                "anonymous": ids[index],
                "household": int(world.identities.household[index]),
                "consent": person.consent.value,
                "withdraw_day": day if day < world.n_days else None,
                "response": RESPONSES[int(people_truth.response[index])].value,
                "mail_effect": float(people_truth.mail_effect[index]),
                "group": bool(people_truth.is_in_group[index]),
                "join_day": int(people_truth.join_day[index]),
                "likes": person.top_category,
                "arm": None if arms is None else Experiment.ARMS[int(arms[index])],
            }
        )
    return rows
