"""`RULE show VARIANT`: plain lines that say to whom a variant is shown; the first that holds wins.

A rule may name what segments may (columns and functions of the profile, `segment.NAME`), and the circumstances of the
request (NULL where they are unknown):

    context.device, context.os, context.browser             texts
    context.locale, context.language, context.timezone      texts
    context.country, context.city, context.page (its path)  texts
    context.referrer, context.campaign, context.source, context.medium
    context.hour (0 to 23), context.weekday (0 is Monday)   numbers, in the visitor's time zone
    context.is_bot                                          true or false
    context.KEY                                             a key of `[context] declared`, of the type it is compared to

Of somebody unknown the profile is an empty one: `orders = 0` holds. Of somebody who refused profiling nothing is read:
all of the profile is NULL, and only what the circumstances say can hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bespeak.decide.person import PersonView
from bespeak.errors import ConfigError, RuleError
from bespeak.profiles.profile import Profile
from bespeak.profiles.record import ProfileRecord, profile_schema, traits_in, types_in
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import ProfileView
from bespeak.rules import Argument, CallResult, ColumnType, Record, Rule, Schema, Value, parse
from bespeak.segments.definitions import Segment
from bespeak.segments.membership import evaluate
from bespeak.signals.events import Context
from bespeak.signals.signal import SignalClass

CONTEXT = "context."
_LINE = re.compile(r"\s*(?P<rule>.+?)\s+show\s+(?P<variant>\S+)\s*", re.IGNORECASE | re.DOTALL)
_TEXT, _NUMBER, _YES_NO = ColumnType.TEXT, ColumnType.NUMBER, ColumnType.BOOLEAN

_READ: Mapping[str, tuple[ColumnType, Callable[[Context], Value]]] = MappingProxyType(
    {
        "device": (_TEXT, lambda context: context.device or None),
        "os": (_TEXT, lambda context: context.os or None),
        "browser": (_TEXT, lambda context: context.browser or None),
        "locale": (_TEXT, lambda context: context.locale or None),
        "language": (_TEXT, lambda context: context.language or None),
        "timezone": (_TEXT, lambda context: context.timezone or None),
        "country": (_TEXT, lambda context: context.country or None),
        "city": (_TEXT, lambda context: context.city or None),
        "page": (_TEXT, lambda context: context.page.get("path") or None),
        "referrer": (_TEXT, lambda context: context.referrer_class or None),
        "campaign": (_TEXT, lambda context: context.campaign.get("name") or None),
        "source": (_TEXT, lambda context: context.campaign.get("source") or None),
        "medium": (_TEXT, lambda context: context.campaign.get("medium") or None),
        "hour": (_NUMBER, lambda context: context.local_hour if context.local_hour >= 0 else None),
        "weekday": (_NUMBER, lambda context: context.local_weekday if context.local_weekday >= 0 else None),
        "is_bot": (_YES_NO, lambda context: context.is_bot),
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: to whom its variant is shown."""

    rule: Rule
    variant: str


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a project's rules may name, beside the columns that every profile has.

    Attributes:
        classes: signal classes; signals: names of signals, which outcomes may name too.
        purposes: of consent.
        facets: of affinities.
        segments: each after those that its rule names.
        declared: context keys that callers may send.
        predictions: what is foretold of people.
    """

    classes: Collection[str] = ()
    signals: Collection[str] = ()
    purposes: Collection[str] = ()
    facets: Collection[str] = ()
    segments: Sequence[Segment] = ()
    declared: Collection[str] = ()
    predictions: Collection[str] = ()

    def schema(self, text: str) -> Schema:
        """What one rule may name; the types of traits and declared keys are those that it compares them to."""
        of_people = profile_schema(
            self.classes,
            traits=traits_in(text),
            purposes=self.purposes,
            segments=[segment.name for segment in self.segments],
            facets=self.facets,
            predictions=self.predictions,
        )
        context = {f"{CONTEXT}{name}": kind for name, (kind, _) in _READ.items()}
        typed = types_in(text, "context")
        context |= {f"{CONTEXT}{name}": typed.get(name, _TEXT) for name in self.declared if name not in _READ}
        return Schema(of_people.columns, of_people.functions, context=context)

    def needed(self, rules: Iterable[Rule]) -> tuple[Segment, ...]:
        """The segments that rules name, and those that these name, in the order in which they are decided."""
        return self.with_those_named({name for rule in rules for name in segments_in(rule)})

    def with_those_named(self, wanted: set[str]) -> tuple[Segment, ...]:
        """These segments and those that their rules name, in the order in which they are decided."""
        for segment in reversed(self.segments):
            if segment.name in wanted:
                wanted |= segment.names
        return tuple(segment for segment in self.segments if segment.name in wanted)


def read_line(text: str, names: Names, key: str) -> Line:
    """Returns a checked line.

    Raises:
        ConfigError: it is not `RULE show VARIANT`, or the rule is wrong; with the position and what is allowed.

    Example:
        >>> line = read_line("orders >= 2 AND context.device = 'mobile' show short", Names(), "placements.hero.when")
        >>> line.variant, line.rule.text
        ('short', "orders >= 2 AND context.device = 'mobile'")
    """
    found = _LINE.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text!r} is no line.", key=key, hint="Write: RULE show VARIANT.")
    try:
        rule = parse(found["rule"], names.schema(found["rule"]))
    except RuleError as error:
        raise ConfigError(error.message, key=key, hint=error.hint) from None
    return Line(rule, found["variant"])


def segments_in(rule: Rule) -> set[str]:
    """Returns the segments that a rule names itself."""
    named = {column.removeprefix("segment.") for column in rule.columns if column.startswith("segment.")}
    return named | {str(call.args[0]) for call in rule.functions if call.name == "in_segment"}


def record_for(
    person: PersonView | None,
    segments: Sequence[Segment],
    classes: Mapping[str, SignalClass],
    purposes: Sequence[str],
    now_ms: int,
) -> Record:
    """Returns whom a decision is for as rules see them: an empty profile where nobody is known.

    Args:
        person: None for somebody unknown.
        segments: those that the rules need.
        classes, purposes: the project's.
        now_ms: the moment.
    """
    if person is not None:
        return record_of(person.view, segments)
    return record_of(ProfileView(Profile(), FoldSettings(classes=classes), now_ms, purposes=purposes), segments)


def record_of(view: ProfileView | None, segments: Sequence[Segment]) -> Record:
    """Returns a person as rules see them: through the granted purposes, in the segments that these show.

    Args:
        view: None where nothing may be read.
        segments: those that the rules need.
    """
    if view is None:
        return _Unread()
    members = {name: (verdict.holds, verdict.flips_at_ms) for name, verdict in evaluate(segments, view).items()}
    return ProfileRecord(view, members)


def context_values(context: Context) -> dict[str, Value]:
    """Returns the circumstances as rules see them."""
    values = {f"{CONTEXT}{name}": read(context) for name, (_, read) in _READ.items()}
    for key, value in context.declared.items():
        if key not in _READ:
            values[f"{CONTEXT}{key}"] = value if isinstance(value, str | bool | int | float) else None
    return values


class _Unread:
    """Somebody of whom nothing may be read: everything is NULL."""

    def get(self, column: str) -> Value:
        del column
        return None

    def call(self, name: str, args: tuple[Argument, ...], now_ms: int) -> CallResult:
        del name, args, now_ms
        return CallResult(None)
