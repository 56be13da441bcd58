"""What a reader may know of a person now: the profile, seen through the granted purposes and the present time.

Classes whose purpose is not granted do not exist for a view. What has no class (traits, sessions, places, stage)
needs the purpose of the profile. Weights act here and not in the profile: `affinity = sum over classes of weight *
decayed strength`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import exp2
from types import MappingProxyType
from typing import Protocol

from bespeak.profiles.commerce import in_cart
from bespeak.profiles.decay import Decayed
from bespeak.profiles.profile import Profile, Progress, Session, Step, Trait
from bespeak.profiles.settings import DAY_MS, FoldSettings
from bespeak.profiles.stage import Stage, StageRules, stage_of
from bespeak.profiles.subscription import Subscription, subscription_of
from bespeak.profiles.sums import Sums, sums_of

_NOTHING: Mapping[str, Decayed] = {}


@dataclass(frozen=True, slots=True)
class Affinity:
    """How a person stands to one facet value.

    Attributes:
        strength: decayed strength over the allowed classes, each times its weight; negative for what they turn away
            from.
        share: of the positive strengths of the facet, 0 to 1.
        counts: class -> signals, unfaded.
        last_ms: the latest of them.
    """

    strength: float
    share: float
    counts: Mapping[str, int]
    last_ms: int


@dataclass(frozen=True, slots=True)
class Typical:
    """What a person usually chooses of a number, over the classes they like things by.

    Attributes:
        mean, spread: decayed; recent events count more.
        weight: decayed number of events now, each times its class's weight.
        count: events, unfaded.
    """

    mean: float
    spread: float
    weight: float
    count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one class contributes to an affinity: "you viewed 5" is its verb and its count."""

    signal_class: str
    verb: str
    count: int
    last_ms: int
    strength: float


@dataclass(frozen=True, slots=True)
class Rfm:
    """Recency, frequency, monetary.

    Attributes:
        recency_days: since the latest order, None without one.
        n_orders, n_refunds: over all time.
        money: currency -> minor units ordered less refunded.
    """

    recency_days: float | None
    n_orders: int
    n_refunds: int
    money: Mapping[str, int]


class Predictor(Protocol):
    """What foretells something of a person."""

    def predict(self, view: ProfileView) -> float | None:
        """Returns a probability or an amount as of the day of the view; None of whom it says nothing."""
        ...

    def level(self, value: float) -> str:
        """Returns `low`, `medium` or `high`: among people when it was learned; "" where that was not kept."""
        ...


class ProfileView:
    """A profile as one reader may see it at one time.

    Args:
        profile: is read as it is; the view holds while nothing is folded.
        settings: those it was folded with.
        now_ms: the present.
        purposes: the granted ones.
        weights: class -> weight in place of the prior one (learned weights); a class without stays at its prior.
        stage_rules: when which journey stage holds.
        predictors: name -> what foretells it.
    """

    def __init__(
        self,
        profile: Profile,
        settings: FoldSettings,
        now_ms: int,
        *,
        purposes: Collection[str],
        weights: Mapping[str, float] | None = None,
        stage_rules: StageRules = StageRules(),  # noqa: B008 - frozen
        predictors: Mapping[str, Predictor] = MappingProxyType({}),
    ) -> None:
        self.profile = profile
        self.settings = settings
        self.now_ms = now_ms
        self.is_profiled = settings.profile_purpose in purposes
        self._stage_rules = stage_rules
        self._predictors = predictors
        learned = weights or {}
        rates = settings.rates
        self._classes = {
            name: (learned.get(name, c.prior_weight), rates[name])
            for name, c in settings.classes.items()
            if c.purpose in purposes
        }

    @property
    def classes(self) -> Collection[str]:
        """The classes that may be read."""
        return self._classes.keys()

    # -- affinities

    def affinity(self, facet: str, value: str) -> float:
        """Returns the weighted, decayed strength of one facet value; 0 where nothing is known."""
        return self.affinity_at(facet, value, self.now_ms)

    def affinity_at(self, facet: str, value: str, time_ms: int) -> float:
        """Returns what `affinity` reads at another time, no earlier than the events."""
        sums = self.profile.affinities.get(facet, {})
        strength = 0.0
        for name, held in sums.items():
            known, decayed = self._classes.get(name), held.get(value)
            if known is not None and decayed is not None:
                strength += known[0] * decayed.at(time_ms, known[1])
        return strength

    def affinities_at(self, facet: str, time_ms: int) -> dict[str, float]:
        """Returns value -> what `affinity_at` reads for every value of a facet with an allowed class, in no order."""
        sums = self.profile.affinities.get(facet, {})
        strengths: dict[str, float] = {}
        for name, held in sums.items():
            if name not in self._classes:
                continue
            weight, rate = self._classes[name]
            for value, decayed in held.items():
                # `Decayed.at`, written out: there are hundreds of values, and calling it takes as long as the sum.
                elapsed = time_ms - decayed.last_ms
                strength = decayed.value * exp2(-elapsed * rate) if elapsed > 0 else decayed.value
                strengths[value] = strengths.get(value, 0.0) + weight * strength
        return strengths

    def affinities(self, facet: str) -> dict[str, Affinity]:
        """Returns value -> affinity for every value of a facet with an allowed class, in no order."""
        strengths = self.affinities_at(facet, self.now_ms)
        total = sum(strength for strength in strengths.values() if strength > 0)
        counts: dict[str, dict[str, int]] = {value: {} for value in strengths}
        latest: dict[str, int] = {}
        sums = self.profile.affinities.get(facet, {})
        for name, held in sums.items():
            if name in self._classes:
                for value, decayed in held.items():
                    counts[value][name] = decayed.count
                    latest[value] = max(decayed.last_ms, latest.get(value, decayed.last_ms))
        return {
            value: Affinity(strength, max(0.0, strength) / total if total > 0 else 0.0, counts[value], latest[value])
            for value, strength in strengths.items()
        }

    def counts(self, facet: str, value: str) -> dict[str, int]:
        """Returns allowed class -> signals, unfaded, of one facet value."""
        sums = self.profile.affinities.get(facet, {})
        return {name: held[value].count for name, held in sums.items() if name in self._classes and value in held}

    def facets(self) -> list[str]:
        """Returns the facets that anything is known of, in the order of the settings."""
        return [facet for facet in self.settings.facets if self.profile.affinities.get(facet)]

    def evidence(self, facet: str, value: str) -> list[Evidence]:
        """Returns what each class contributes to an affinity, the largest contribution first."""
        return self._evidence(self.profile.affinities.get(facet, {}), value)

    def item_evidence(self, item_id: str) -> list[Evidence]:
        """Returns what the person did with one item, the largest contribution first."""
        return self._evidence(self.profile.items, item_id)

    def numeric(self, facet: str) -> Typical | None:
        """Returns what is typical of a numeric facet, None where nothing is known; disliked classes are left out."""
        weight = total = squares = 0.0
        count = 0
        for name, moments in self.profile.numbers.get(facet, {}).items():
            known = self._classes.get(name)
            if known is None or known[0] <= 0:
                continue
            faded = known[0] * Decayed(1.0, moments.last_ms).at(self.now_ms, known[1])
            weight += faded * moments.weight
            total += faded * moments.total
            squares += faded * moments.squares
            count += moments.count
        if weight <= 0:
            return None
        mean = total / weight
        return Typical(mean, max(0.0, squares / weight - mean * mean) ** 0.5, weight, count)

    # -- items and the sequence

    def items(self) -> dict[str, dict[str, Decayed]]:
        """Returns item id -> allowed class -> decayed strength."""
        found: dict[str, dict[str, Decayed]] = {}
        for name in self._classes:
            for item_id, decayed in self.profile.items.get(name, _NOTHING).items():
                found.setdefault(item_id, {})[name] = decayed
        return found

    def recent(self) -> list[Step]:
        """Returns the latest steps of the allowed classes, ascending in time."""
        return [step for step in self.profile.recent if step.signal_class in self._classes]

    def seen_items(self, classes: Iterable[str], since_ms: int | None = None) -> set[str]:
        """Returns the items with a signal of one of the classes at or after a time (None: ever)."""
        wanted = {name for name in classes if name in self._classes}
        since = since_ms if since_ms is not None else -(1 << 62)
        seen: set[str] = set()
        for name in wanted:
            held = self.profile.items.get(name, _NOTHING)
            seen.update(item_id for item_id, decayed in held.items() if decayed.last_ms >= since)
        seen.update(s.item_id for s in self.profile.recent if s.signal_class in wanted and s.time_ms >= since)
        return seen

    def history(self) -> tuple[list[str], list[float], list[int]]:
        """Returns (item ids, weights, times in ms) for models, the oldest first.

        An item stands once, at its latest signal, with its weighted strength as of then; so a pause of the person
        changes nothing, and the times tell how old it is. A negative weight is a dislike. Classes of weight 0 say
        nothing.
        """
        telling = [
            (self.profile.items.get(name, _NOTHING), weight, rate)
            for name, (weight, rate) in self._classes.items()
            if weight
        ]
        latest: dict[str, int] = {}
        for held, _, _ in telling:
            for item_id, decayed in held.items():
                latest[item_id] = max(decayed.last_ms, latest.get(item_id, decayed.last_ms))
        strengths = dict.fromkeys(latest, 0.0)
        for held, weight, rate in telling:
            for item_id, decayed in held.items():
                elapsed = latest[item_id] - decayed.last_ms  # `Decayed.at` again
                strengths[item_id] += weight * (decayed.value * exp2(-elapsed * rate) if elapsed else decayed.value)
        rows = sorted((time_ms, item_id, strengths[item_id]) for item_id, time_ms in latest.items())
        return [row[1] for row in rows], [row[2] for row in rows], [row[0] for row in rows]

    def cart(self) -> dict[str, float]:
        """Returns item id -> quantity of what is in the cart."""
        return {
            item_id: line.quantity
            for item_id, line in in_cart(self.profile).items()
            if line.signal_class in self._classes
        }

    def progress(self) -> dict[str, Progress]:
        """Returns item id -> how much of it was played, of the allowed classes."""
        return {item_id: told for item_id, told in self.profile.progress.items() if told.signal_class in self._classes}

    def subscription(self, gap_ms: int | None = None) -> Subscription | None:
        """Returns the latest subscription as `subscription_of` reads it, of the allowed classes."""
        return subscription_of(self.profile.subscription, self.classes, self.now_ms, gap_ms)

    # -- predictions

    def prediction(self, name: str) -> float | None:
        """Returns what is foretold as of today; None where nothing is, or nothing may be read."""
        predictor = self._predictors.get(name) if self.is_profiled else None
        return None if predictor is None else predictor.predict(self)

    def prediction_level(self, name: str) -> str:
        """Returns whether what is foretold is `low`, `medium` or `high` among people; "" where nothing is."""
        value = self.prediction(name)
        return "" if value is None else self._predictors[name].level(value)

    def predictions(self) -> dict[str, float]:
        """Returns everything that is foretold, by name."""
        found = {name: self.prediction(name) for name in sorted(self._predictors)}
        return {name: value for name, value in found.items() if value is not None}

    # -- counts, orders, visits

    def count(self, signal_class: str, days: int | None = None) -> int:
        """Returns the signals of a class in the last `days` UTC days, today included; None is the whole window kept."""
        return self.count_until(signal_class, days)[0]

    def count_until(self, signal_class: str, days: int | None = None) -> tuple[int, int | None]:
        """Returns `count`, and the first time at which it falls without an event (None: it does not)."""
        if signal_class not in self._classes:
            return 0, None
        return window_sum(self.profile.counts.get(signal_class, {}), days, self.now_ms)

    def may_read_orders(self) -> bool:
        """True when every class that told of orders may be read."""
        return all(name in self._classes for name in self.profile.orders.classes)

    def rfm(self) -> Rfm:
        """Returns recency, frequency and monetary; empty where orders may not be read."""
        orders = self.profile.orders
        if not self.may_read_orders():
            return Rfm(None, 0, 0, {})
        recency = max(0, self.now_ms - orders.last_ms) / DAY_MS if orders.n else None
        money = {c: orders.money.get(c, 0) - orders.refunded.get(c, 0) for c in {*orders.money, *orders.refunded}}
        return Rfm(recency, orders.n, orders.n_refunds, dict(sorted(money.items())))

    def session(self) -> Session | None:
        """Returns the visit that goes on now, None between visits."""
        if not self.is_profiled or not self.profile.sessions:
            return None
        last = self.profile.sessions[-1]
        return last if self.now_ms - last.end_ms <= self.settings.session_gap_ms else None

    def sessions(self) -> list[Session]:
        """Returns the visits kept, ascending; counts of classes that may not be read are in them as well."""
        return self.profile.sessions if self.is_profiled else []

    def trait(self, name: str) -> Trait | None:
        """Returns a trait that is set."""
        held = self.profile.traits.get(name) if self.is_profiled else None
        return held if held is not None and held.value is not None else None

    def traits(self) -> dict[str, Trait]:
        """Returns the traits that are set, by name."""
        if not self.is_profiled:
            return {}
        return {name: held for name, held in sorted(self.profile.traits.items()) if held.value is not None}

    def place(self, name: str) -> str:
        """Returns country, city, language or timezone as the latest events had it, "" when unknown."""
        held = self.profile.places.get(name) if self.is_profiled else None
        return str(held.value) if held is not None else ""

    @property
    def stage(self) -> Stage:
        """Where on the journey the person is now."""
        return self.stage_until()[0]

    def stage_until(self) -> tuple[Stage, int | None]:
        """Returns the stage, and the first time at which it may change without an event."""
        if not self.is_profiled:
            return "new", None
        weights = {name: weight for name, (weight, _) in self._classes.items()}
        return stage_of(self.profile, weights, self.now_ms, self._stage_rules)

    def _evidence(self, sums: Sums, key: str) -> list[Evidence]:
        found = []
        for name, decayed in sums_of(sums, key).items():
            known = self._classes.get(name)
            if known is not None:
                strength = known[0] * decayed.at(self.now_ms, known[1])
                verb = self.settings.classes[name].verb or name
                found.append(Evidence(name, verb, decayed.count, decayed.last_ms, strength))
        return sorted(found, key=lambda e: (-abs(e.strength), e.signal_class))


def window_sum(by_day: Mapping[int, int], days: int | None, now_ms: int) -> tuple[int, int | None]:
    """Sums daily numbers over the last `days` UTC days, today included, and says when the sum changes by itself.

    Example:
        >>> window_sum({0: 2, 5: 1}, 7, 6 * DAY_MS)
        (3, 604800000)
        >>> window_sum({0: 2, 5: 1}, 7, 7 * DAY_MS)
        (1, 1036800000)
    """
    if days is None:
        return sum(by_day.values()), None
    first = now_ms // DAY_MS - days + 1
    inside = [day for day in by_day if day >= first]
    if not inside:
        return 0, None
    return sum(by_day[day] for day in inside), (min(inside) + days) * DAY_MS
