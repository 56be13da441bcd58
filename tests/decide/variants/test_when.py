"""What lines read of the person and of the circumstances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.decide.person import PersonView
from bespeak.decide.variants.when import Names, context_values, read_line, record_of
from bespeak.errors import ConfigError
from bespeak.segments.definitions import compile_segments
from bespeak.signals.events import Context

SEGMENTS = compile_segments({"viewers": "views_7d >= 2", "keen": "segment.viewers AND carts_7d >= 1"})
NAMES = Names(classes=("view", "cart"), segments=SEGMENTS, declared=("mood", "age", "is_vip"))


def holds(rule: str, now_ms: int, person: PersonView | None = None, **context: Any) -> bool:
    line = read_line(f"{rule} show a", NAMES, "key")
    view = None if person is None else person.view
    record = record_of(view, NAMES.needed([line.rule]))
    return line.rule.test(record, now_ms, context_values(Context(**context)))


def test_a_line_splits_at_its_last_show() -> None:
    line = read_line("context.page = 'show me' SHOW wide", NAMES, "key")
    assert (line.variant, line.rule.text) == ("wide", "context.page = 'show me'")


@pytest.mark.parametrize(
    ("rule", "context"),
    [
        ("context.device = 'mobile'", {"device": "mobile"}),
        ("context.hour BETWEEN 18 AND 22", {"local_hour": 20}),
        ("context.weekday = 5", {"local_weekday": 5}),
        ("context.campaign = 'spring' AND context.source = 'mail'", {"campaign": {"name": "spring", "source": "mail"}}),
        ("context.page LIKE '/audio/%'", {"page": {"path": "/audio/x"}}),
        ("context.referrer = 'search'", {"referrer_class": "search"}),
        ("context.mood = 'calm'", {"declared": {"mood": "calm"}}),
        ("context.age >= 18", {"declared": {"age": 20}}),
        ("context.is_vip IS TRUE", {"declared": {"is_vip": True}}),
        ("NOT context.is_bot", {}),
    ],
)
def test_circumstances_are_read_and_what_is_unknown_does_not_hold(
    rule: str, context: dict[str, Any], now_ms: int
) -> None:
    assert holds(rule, now_ms, **context)
    if context:
        assert not holds(rule, now_ms)


def test_a_declared_key_of_another_type_does_not_hold(now_ms: int) -> None:
    assert not holds("context.age >= 18", now_ms, declared={"age": "old"})
    assert not holds("context.mood = 'calm'", now_ms, declared={"mood": {"is": "calm"}})


def test_the_profile_and_segments_within_segments_are_read(person: Callable[..., PersonView], now_ms: int) -> None:
    someone = person(("horror0", "view", 2.0), ("horror1", "view", 1.0), ("horror1", "cart", 0.5))
    assert holds("segment.keen AND did('view', 'horror0') = 1", now_ms, someone)
    assert holds("in_segment('viewers') = 1", now_ms, someone)
    assert not holds("segment.keen", now_ms, person(("horror0", "view", 2.0)))


def test_of_somebody_who_refused_nothing_of_the_profile_holds(person: Callable[..., PersonView], now_ms: int) -> None:
    refused = person(("horror0", "view", 2.0), granted=["essential"])
    for rule in ("views_7d >= 0", "events IS NOT NULL", "segment.viewers", "NOT segment.viewers", "orders = 0"):
        assert not holds(rule, now_ms, refused)
    assert holds("context.device = 'mobile'", now_ms, refused, device="mobile")


def test_a_name_that_does_not_exist_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"context\.mod") as caught:
        read_line("context.mod = 'calm' show a", NAMES, "placements.hero.when[0]")
    assert "context.mood" in str(caught.value)
    with pytest.raises(ConfigError, match="segment"):
        read_line("segment.nobody show a", NAMES, "placements.hero.when[0]")
