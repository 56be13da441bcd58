"""A segment: a name and a rule over the profile, checked when it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bespeak.errors import ConfigError, RuleError
from bespeak.profiles.record import SEGMENT, profile_schema, traits_in
from bespeak.rules import ColumnType, Rule, parse

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

DEFAULT_CLASSES = ("view", "click", "cart", "purchase", "rating", "like", "watch", "search", "wishlist", "share")


@dataclass(frozen=True, slots=True)
class Segment:
    """A named group of people.

    Attributes:
        rule: who is in.
        names: the segments that its rule names; they are decided before it.
    """

    name: str
    rule: Rule
    description: str = ""
    names: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The rule as it was written."""
        return self.rule.text


def compile_segments(
    rules: Mapping[str, str],
    *,
    classes: Iterable[str] = DEFAULT_CLASSES,
    purposes: Iterable[str] = (),
    facets: Iterable[str] = (),
    predictions: Iterable[str] = (),
    traits: Mapping[str, ColumnType] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> tuple[Segment, ...]:
    """Returns the segments, each after those that its rule names.

    Args:
        rules: segment name -> rule.
        classes, purposes, facets, predictions: the project's, which the rules may name.
        traits: types of traits; `traits_in` tells that of one that is not listed.
        descriptions: segment name -> what it is, for people.

    Raises:
        ConfigError: a name is not made of lower-case letters, digits and `_`, a rule is wrong, or segments name each
            other in a circle.

    Example:
        >>> [s.name for s in compile_segments({"keen": "segment.buyers AND views_7d > 3", "buyers": "orders >= 1"})]
        ['buyers', 'keen']
    """
    classes, purposes, facets, predictions = tuple(classes), tuple(purposes), tuple(facets), tuple(predictions)
    made: dict[str, Segment] = {}
    for name, text in rules.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is no segment name.",
                key="segments",
                hint="Lower-case letters, digits and _, a letter first.",
            )
        named = {**traits_in(text), **(traits or {})}
        schema = profile_schema(
            classes, traits=named, purposes=purposes, segments=rules, facets=facets, predictions=predictions
        )
        try:
            rule = parse(text, schema)
        except RuleError as error:
            raise ConfigError(error.message, key=f"segments.{name}", hint=error.hint) from error
        made[name] = Segment(name, rule, (descriptions or {}).get(name, ""), _segments_in(rule))
    return _in_order(made)


def _segments_in(rule: Rule) -> frozenset[str]:
    columns = {column[len(SEGMENT) :] for column in rule.columns if column.startswith(SEGMENT)}
    return frozenset(columns | {str(call.args[0]) for call in rule.functions if call.name == "in_segment"})


def _in_order(segments: Mapping[str, Segment]) -> tuple[Segment, ...]:
    """Orders segments so that each comes after those it names."""
    done: dict[str, Segment] = {}
    waiting = dict(segments)
    while waiting:
        ready = [name for name, segment in waiting.items() if segment.names <= done.keys()]
        if not ready:
            raise ConfigError(
                f"segments name each other in a circle: {', '.join(sorted(waiting))}.",
                key="segments",
                hint="A segment may only name segments that do not lead back to it.",
            )
        for name in ready:
            done[name] = waiting.pop(name)
    return tuple(done.values())
