from __future__ import annotations

import pytest

from bespeak.errors import RuleError
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.profiles.record import ProfileRecord, plural, profile_schema, traits_in
from bespeak.profiles.view import ProfileView
from bespeak.rules import ColumnType, parse
from bespeak.signals.events import Context

DAY = 86_400_000
NOW = 100 * DAY + 5


@pytest.fixture
def record(settings, saw):
    profile = Profile()
    facets = {"p1": {"category": ["audio"]}, "p2": {"category": ["tv"]}}
    context = Context(device="mobile", os="iOS", country="DE", language="de", timezone="Europe/Berlin", city="Ulm")
    traits = {"plan": "pro", "age": 30, "vip": True, "likes": ["a", 1], "size": "42.5"}
    for day, name, item in (
        (10, "purchase", "p9"),
        (80, "purchase", "p1"),
        (95, "view", "p1"),
        (99, "view", "p2"),
        (99, "cart", "p2"),
        (99, "refund", "p1"),
    ):
        observation = saw(
            day * DAY,
            name,
            item,
            facets=facets,
            context=context,
            traits=traits,
            value=500,
            consent={"personalize": True, "share": False} if day == 10 else None,
        )
        fold(profile, observation, settings)
    view = ProfileView(profile, settings, NOW, purposes=("personalize", "measure"))
    return ProfileRecord(view, {"fans": (True, 7)})


@pytest.mark.parametrize(
    ("column", "value", "until"),
    [
        ("first_seen", 10 * DAY, None),
        ("last_seen", 99 * DAY, None),
        ("last_order", 80 * DAY, None),
        ("events", 6, None),
        ("sessions_30d", 3, 110 * DAY),
        ("orders", 2, None),
        ("orders_30d", 1, 110 * DAY),
        ("orders_90d", 1, 170 * DAY),
        ("refunds", 1, None),
        ("revenue", 500, None),
        ("revenue_30d", 500, 110 * DAY),
        ("cart_items", 1, None),
        ("views_7d", 2, 102 * DAY),
        ("purchases_90d", 1, 170 * DAY),
        ("hides_7d", 0, None),
        ("stage", "customer", 159 * DAY),
        ("country", "DE", None),
        ("city", "Ulm", None),
        ("language", "de", None),
        ("timezone", "Europe/Berlin", None),
        ("device", "mobile", None),
        ("consent.personalize", True, None),
        ("consent.share", False, None),
        ("consent.improve", None, None),
        ("traits.plan", "pro", None),
        ("traits.likes", ["a", "1"], None),
        ("traits.none", None, None),
        ("segment.fans", True, 7),
        ("segment.other", None, None),
    ],
)
def test_a_column_has_its_value_and_says_how_long_it_holds(record, column, value, until):
    assert (record.get(column), record.holds_until(column)) == (value, until)


@pytest.mark.parametrize(
    ("name", "args", "value", "until"),
    [
        ("count", ("view", 7), 2, 102 * DAY),
        ("count", ("view",), 2, None),
        ("count", ("view", 1), 0, None),
        ("bought", ("p1",), 1, None),
        ("bought", ("p2",), 0, None),
        ("viewed", ("p1",), 1, None),
        ("viewed", ("p1", 10), 1, 105 * DAY),
        ("viewed", ("p1", 3), 0, None),
        ("did", ("cart", "p2", 5), 1, 104 * DAY),
        ("affinity", ("category", "none"), 0, None),
        ("trait_number", ("age",), 30, None),
        ("trait_number", ("size",), 42.5, None),
        ("trait_number", ("plan",), None, None),
        ("in_segment", ("fans",), 1, 7),
        ("in_segment", ("other",), 0, None),
    ],
)
def test_a_function_has_its_result_and_says_how_long_it_holds(record, name, args, value, until):
    assert record.call(name, args, NOW) == (value, until)


def test_affinities_stand_still_until_the_next_midnight(record):
    result = record.call("affinity", ("category", "audio"), NOW)
    assert result.value == record.view.affinity_at("category", "audio", 100 * DAY)
    assert result.value != record.view.affinity("category", "audio")
    assert result.holds_until_ms == 101 * DAY
    shares = [record.call("share", ("category", value), NOW).value for value in ("audio", "tv", "none")]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[2] == 0.0


def test_what_may_not_be_read_is_null_or_nothing(record):
    view = record.view
    barred = ProfileRecord(ProfileView(view.profile, view.settings, NOW, purposes=()))
    nothing = {
        "events": 0,
        "orders": 0,
        "orders_30d": 0,
        "revenue": 0,
        "revenue_30d": 0,
        "cart_items": 0,
        "views_7d": 0,
    }
    assert {column: barred.get(column) for column in nothing} == nothing
    for column in ("first_seen", "last_seen", "last_order", "country", "device", "traits.plan"):
        assert barred.get(column) is None
    assert barred.get("stage") == "new"
    assert barred.call("affinity", ("category", "audio"), NOW).value == 0
    assert barred.call("bought", ("p1",), NOW).value == 0


def test_a_record_of_nobody_has_no_dates_and_counts_nothing(settings):
    record = ProfileRecord(ProfileView(Profile(), settings, NOW, purposes=("personalize",)))
    assert (record.get("first_seen"), record.get("orders"), record.get("stage")) == (None, 0, "new")
    assert record.call("share", ("category", "audio"), NOW) == (0.0, None)


def test_every_declared_name_can_be_read(record):
    schema = profile_schema(
        record.view.settings.classes, traits={"plan": ColumnType.TEXT}, purposes=["share"], segments=["fans"]
    )
    for column in schema.columns:
        record.get(column)
        record.holds_until(column)
    for name, args in {
        "affinity": ("category", "audio"),
        "share": ("category", "audio"),
        "count": ("view", 3),
        "bought": ("p1",),
        "viewed": ("p1",),
        "did": ("view", "p1"),
        "trait_number": ("age",),
        "in_segment": ("fans",),
    }.items():
        assert name in schema.functions
        record.call(name, args, NOW)
    assert len(schema.functions) == 8


def test_rules_read_records(record):
    text = "orders_90d >= 1 AND share('category', 'audio') > 0.2 AND traits.age >= 18 AND traits.vip IS TRUE"
    schema = profile_schema(record.view.settings.classes, traits=traits_in(text), facets=["category"])
    assert parse(text, schema).test(record, NOW)
    assert parse("last_seen < now() - INTERVAL '1' DAY", schema).verdict(record, NOW) == (True, None)


def test_a_wrong_name_is_refused_with_the_allowed_ones(settings):
    schema = profile_schema(settings.classes, facets=["category"])
    with pytest.raises(RuleError, match="orders_90d"):
        parse("orders_90 > 2", schema)
    with pytest.raises(RuleError, match="category"):
        parse("affinity('categori', 'audio') > 2", schema)
    with pytest.raises(RuleError, match="view"):
        parse("count('vew', 3) > 2", schema)


def test_plurals_of_classes_are_told_apart():
    assert [plural(name) for name in ("view", "watch", "cart_view")] == ["views", "watches", "cart_views"]


def test_a_trait_s_type_is_that_of_any_constant_beside_it():
    found = traits_in(
        "traits.a = 'x' AND traits.b BETWEEN 1 AND 2 OR traits.c IN (3) OR NOT traits.d = false OR traits.a <> '5'"
    )
    kinds = (ColumnType.TEXT, ColumnType.NUMBER, ColumnType.NUMBER, ColumnType.BOOLEAN)
    assert found == dict(zip("abcd", kinds, strict=True))
