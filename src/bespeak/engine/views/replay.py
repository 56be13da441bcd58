"""Would another policy have won? The decision log of a placement, replayed under it.

Used are decisions that explored and kept their candidates, of people who agreed to being measured then and have not
withdrawn it since, whose attribution window has passed: what may still be clicked is no failure yet.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.settings.placements import Placement, placements_from
from bespeak.engine.config import Configuration, parse_config, read_file
from bespeak.engine.core import Core
from bespeak.engine.lake_feed import feed
from bespeak.engine.outcomes import Outcomes
from bespeak.engine.policies import Versions
from bespeak.errors import ConfigError, InvalidInput, UnknownName
from bespeak.learn.replay import Scene, replay
from bespeak.measure.choices import Assumption
from bespeak.measure.off_policy import Evaluation, evaluate, known_estimators
from bespeak.signals.decisions import Decision
from bespeak.signals.purposes import MEASURE
from bespeak.storage import people, records
from bespeak.storage.log import DAY_MS

Float64s: TypeAlias = npt.NDArray[np.float64]

POPULAR = "popular"
DEFAULT_PLACEMENT = "home"
ESTIMATORS = ("dr", "snips", "ips")
_BATCH = 500
_EXPLORING = ("temperature", "explore_new_days", "record_features")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy to evaluate.

    Attributes:
        name: as it was asked for.
        placement: its settings.
        is_personal: whether it may use what is known of people.
    """

    name: str
    placement: Placement
    is_personal: bool = True


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What the log says of a policy.

    Attributes:
        placement: whose log; policy: what was evaluated; outcome: the signal class that counts.
        logged_policies: policy of the record -> decisions used.
        n_decisions: of the placement within the days.
        n_used: of them those that were evaluated.
        left_out: reason -> decisions that were not.
        evaluation: None where no decision could be used.
    """

    placement: str
    policy: str
    outcome: str
    logged_policies: dict[str, int]
    n_decisions: int
    n_used: int
    left_out: dict[str, int]
    evaluation: Evaluation | None


def policy_of(core: Core, text: str, placement: str = "") -> tuple[Policy, str]:
    """Returns the policy that a word or a file names, and the placement whose log it is evaluated on.

    Args:
        core: the open project.
        text: `popular`, the best slate without knowing anybody; a placement, as it stands in `bespeak.toml` now; or a
            TOML file with a `[placements.NAME]`, whose settings go on top of those in `bespeak.toml`.
        placement: whose log; else the one that the policy names, `home` for `popular`.

    Raises:
        UnknownName: no policy or placement of this name.
        ConfigError: the file cannot be read, or a setting is wrong.
    """
    config = parse_config(read_file(core.folder.config_path))
    if text.endswith(".toml"):
        policy = _from_file(Path(text), config, placement)
    elif text == POPULAR:
        name = placement or DEFAULT_PLACEMENT
        bare = {"explore": 0.0, "temperature": 0.0, "explore_new_days": None, "record_features": None}
        policy = Policy(POPULAR, msgspec.structs.replace(_placement(config, name), **bare), is_personal=False)
    else:
        if text not in config.placements:
            raise UnknownName("policy", text, [POPULAR, "FILE.toml", *sorted(config.placements)])
        policy = Policy(text, config.placements[text])
    name = placement or policy.placement.name or text
    _placement(config, name)
    return policy, name


def replay_policy(
    core: Core,
    policy: Policy,
    placement: str,
    *,
    days: float,
    outcome: str = "click",
    window_days: float = 1.0,
    assumption: Assumption = "position",
    n_positions: int | None = None,
    estimators: Sequence[str] = ESTIMATORS,
    told: Callable[[float], None] | None = None,
) -> ReplayReport:
    """Evaluates a policy on the log of a placement.

    Args:
        core: the open project.
        policy: what to evaluate.
        placement: whose log.
        days: how far back.
        outcome: class of signals about a shown item that count, each position once.
        window_days: how long after it was shown.
        assumption: see `measure.choices`.
        n_positions: of each slate only so many are counted.
        estimators: names of `measure.off_policy.ESTIMATORS`.
        told: told the share that is done.

    Raises:
        UnknownName: there is no such class of signals, or estimator.
    """
    classes = core.config.signals.classes
    if outcome not in classes:
        raise UnknownName("class of signals", outcome, sorted(classes))
    known_estimators(estimators)
    core.drain()
    log = _Log(core, placement, int(days * DAY_MS), int(window_days * DAY_MS), outcome)
    wanted = max(log.n_recorded, 1)
    found = replay(
        log.scenes(),
        policy.placement,
        core.world,
        is_personal=policy.is_personal,
        assumption=assumption,
        n_positions=n_positions,
        told=None if told is None else lambda done: told(done / wanted),
    )
    left_out = {**log.left_out, "cannot be walked again: its rules or items were others": found.n_unfaithful}
    return ReplayReport(
        placement=placement,
        policy=policy.name,
        outcome=outcome,
        logged_policies=dict(log.policies),
        n_decisions=log.n_decisions,
        n_used=found.n_used,
        left_out={reason: n for reason, n in left_out.items() if n},
        evaluation=None if found.choices is None else evaluate(found.choices, estimators),
    )


class _Log:
    """The decisions of a placement that may be used, with what came of them."""

    def __init__(self, core: Core, placement: str, span_ms: int, window_ms: int, outcome: str) -> None:
        self._core, self._placement = core, placement
        now_ms = core.now_ms()
        self._from_ms, self._until_ms = now_ms - span_ms, now_ms
        self._closed_ms = now_ms - window_ms
        self._settings: dict[str, Placement | None] = {}
        self.left_out: Counter[str] = Counter()
        self.policies: Counter[str] = Counter()
        self.n_decisions = 0
        with core.store.read() as session:
            self._roots, self._refusing = people.roots(session), people.refusing(session, "measure")
            self._versions = Versions.read(session)
        self._rewards = self._read_rewards(outcome, window_ms)

    @property
    def n_recorded(self) -> int:
        """How many decisions `scenes` gives."""
        return len(self._rewards)

    def scenes(self) -> Iterator[Scene]:
        """Reads the usable decisions anew, one after the other: all at once they would not fit into memory."""
        for decision in self._decisions():
            rewards = self._rewards.get(decision.decision_id)
            if rewards is None or decision.person is None:
                continue
            settings = self._settings_of(decision)
            if settings is None:
                self.left_out["the settings of its policy are not kept any more"] += 1
                continue
            self.policies[decision.policy] += 1
            yield Scene(decision, settings, rewards, self._root(decision.person))

    def _read_rewards(self, outcome: str, window_ms: int) -> dict[str, Float64s]:
        """Decision -> float64[positions], of those that may be used; all of the placement compete for an outcome."""
        usable: dict[str, tuple[int, int]] = {}
        codes: dict[str, int] = {}
        rows: list[tuple[int, int, int]] = []
        for decision in self._decisions():
            self.n_decisions += 1
            reason = self._reason_against(decision)
            if reason:
                self.left_out[reason] += 1
            else:
                usable[decision.decision_id] = len(rows), len(decision.items)
            if decision.person is not None:
                root = self._root(decision.person)
                rows += [
                    (root, codes.setdefault(item.item_id, len(codes)), decision.time_ms) for item in decision.items
                ]
        if not rows:
            return {}
        person, item, time_ms = np.array(rows, np.int64).T
        feed(self._core)
        last_ms = int(time_ms.max()) + window_ms
        outcomes = Outcomes.read(self._core, codes, MEASURE, int(time_ms.min()), last_ms)
        came = (outcomes.rewards({outcome: 1.0}, person, item, time_ms, window_ms) > 0).astype(np.float64)
        return {name: came[start : start + n] for name, (start, n) in usable.items()}

    def _reason_against(self, decision: Decision) -> str:
        """Why a decision is not used; "" where it is."""
        measure = self._core.config.purposes.measure
        if decision.person is None or not decision.purposes & measure or self._root(decision.person) in self._refusing:
            return "nobody who agreed to being measured"
        if decision.context.get("is_bot"):
            return "a bot"
        if decision.time_ms > self._closed_ms:
            return "outcomes may still come"
        if decision.candidate_features is None:
            return "its candidates were not kept" if decision.candidate_features_rate else "did not explore"
        return "" if decision.items else "nothing was shown"

    def _decisions(self) -> Iterator[Decision]:
        after = (self._from_ms, "")
        while True:
            with self._core.store.read() as session:
                batch = records.decisions_at(session, self._placement, after, self._until_ms, _BATCH)
            if not batch:
                return
            after = batch[-1].time_ms, batch[-1].decision_id
            yield from batch

    def _settings_of(self, decision: Decision) -> Placement | None:
        if decision.policy not in self._settings:
            version = decision.policy.rpartition("@")[2]
            held = self._versions.settings(self._placement, int(version)) if version.isdigit() else None
            self._settings[decision.policy] = held if isinstance(held, Placement) else None
        return self._settings[decision.policy]

    def _root(self, person: int) -> int:
        return self._roots.get(person, person)


def _placement(config: Configuration, name: str) -> Placement:
    if name not in config.placements:
        raise UnknownName("placement", name, sorted(config.placements))
    return config.placements[name]


def _from_file(path: Path, config: Configuration, placement: str) -> Policy:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path.name}.", hint="It holds [placements.NAME] and what is to be other.")
    try:
        data = tomllib.loads(read_file(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}.", file=path.name) from None
    sections = data.get("placements")
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise ConfigError("holds no placement.", file=path.name, hint="Begin it with [placements.home].")
    name = placement if placement in sections else next(iter(sections), "")
    if not name or (len(sections) > 1 and name != placement):
        raise InvalidInput(f"{path.name} holds several placements.", hint="Say which with --placement.")
    held = dict(config.settings.placements.get(name, {}))
    if sections[name].get("explore") == 0:  # then what goes with exploring falls too
        held = {setting: value for setting, value in held.items() if setting not in _EXPLORING}
    own = {**held, **sections[name]}
    try:
        return Policy(path.name, placements_from({name: own})[name])
    except ConfigError as error:
        message = error.message.removeprefix(f"{error.key}: ")
        raise ConfigError(message, file=path.name, key=error.key, hint=error.hint) from None
