"""The report of an experiment: planted effects are found, and what spoils a comparison is caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.project import create
from bespeak.engine.views.experiment_plan import experiment_plan, taking_part
from bespeak.engine.views.experiment_report import ExperimentReport
from bespeak.engine.views.experiments import BROKEN, experiment_report, experiment_rows
from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.comparison import compare
from bespeak.measure.sums import Sums
from bespeak.signals.ids import USER_ID, IdKey
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment

NOW_MS = 1_760_000_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
ARMS = ("usual", "calm")
ASKED = {
    "placement": "home",
    "variants": {"usual": {}, "calm": {"settings": {"diversity": 0.5}}},
    "secondary": ["engagement_rate", "orders", "revenue"],
    "guardrails": ["return_rate"],
}


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    opened: list[Engine] = []

    def opener(settings: dict[str, Any] | None = None, **asked: Any) -> Engine:
        project = {"experiments": {"calmer": {**ASKED, **asked}}, **(settings or {})}
        create(tmp_path / "p", token_key=("private", ""), settings=project)
        opened.append(Engine.open(tmp_path / "p", clock=VirtualClock(NOW_MS - 2 * DAY_MS)))
        return opened[-1]

    yield opener
    for engine in opened:
        engine.close()


def event(user: str, name: str, *, order: str = "one", **more: Any) -> dict[str, Any]:
    products = [{"product_id": "p1", "price": 20.0}]
    properties = {"product_id": "p1", "products": products, "order_id": f"{order}-{user}", "currency": "EUR"}
    return {"type": "track", "event": name, "userId": user, "properties": properties, **more}


def users(n: dict[str, int]) -> dict[str, list[str]]:
    return {arm: [f"{arm}-{place}" for place in range(size)] for arm, size in n.items()}


def assign(engine: Engine, groups: dict[str, list[str]], *, mixed: frozenset[str] = frozenset()) -> None:
    """Everybody came two days ago and was assigned an hour later."""
    everybody = [user for group in groups.values() for user in group]
    engine.track([event(user, "Product Viewed", messageId=f"view-{user}") for user in everybody], source="backend")
    with engine.core.store.read() as session:
        links = people.resolve(session, [IdKey(USER_ID, user) for user in everybody]).links
    with engine.core.store.write() as tx:
        assignments.assign(tx, [
            Assignment(person=links[IdKey(USER_ID, user)], experiment="calmer", variant=arm,
                       first_ms=NOW_MS - 2 * DAY_MS + HOUR_MS, is_mixed=user in mixed)
            for arm, group in groups.items() for user in group
        ])  # fmt: skip
    engine.core.clock.set(NOW_MS)  # type: ignore[attr-defined]


def planted(engine: Engine, n: dict[str, int], n_buyers: dict[str, int], **more: Any) -> dict[str, list[str]]:
    """People of each arm; so many of them ordered just now."""
    groups = users(n)
    assign(engine, groups, **more)
    buyers = [user for arm, group in groups.items() for user in group[: n_buyers[arm]]]
    engine.track([event(user, "Order Completed") for user in buyers], source="backend")
    return groups


def rewrite(engine: Engine, before: str, after: str) -> None:
    """Changes the project's file and makes it active."""
    path = engine.core.folder.config_path
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    engine.core.apply()


def report(engine: Engine) -> ExperimentReport:
    feed(engine.core)
    return experiment_report(engine.core, "calmer")


def by_name(found: ExperimentReport) -> dict[str, Any]:
    return {metric.metric: metric for metric in found.metrics}


def test_before_anybody_came_it_says_how_many_are_needed(open_shop):
    engine = open_shop()
    found = report(engine)
    assert (found.metrics, found.sample_ratio, found.n_more_days) == ([], None, None)
    assert found.n_more_people > 100_000
    assert found.sentences[0] == "Nobody has been assigned yet."
    (row,) = experiment_rows(engine.core)
    assert (row.state, row.n_assigned, row.variants) == ("running", 0, ["usual", "calm"])


def test_a_planted_effect_is_found_in_every_metric_and_in_words(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 1_500, "calm": 1_500}, {"usual": 225, "calm": 360})
    found = report(engine)
    metrics = by_name(found)
    assert list(metrics) == ["conversion_rate", "engagement_rate", "orders", "revenue", "return_rate"]
    conversion = metrics["conversion_rate"].variants[0]
    assert (metrics["conversion_rate"].control_mean, conversion.mean) == (0.15, 0.24)
    assert conversion.lift == pytest.approx(0.6)
    low, high = conversion.lift_interval
    assert 0 < low < 0.6 < high
    assert conversion.is_told
    assert metrics["revenue"].variants[0].mean == pytest.approx(0.24 * 20)
    assert metrics["orders"].variants[0].raised_p_value >= metrics["orders"].variants[0].p_value
    assert metrics["return_rate"].is_early
    assert "calm converts 60.0 % more often than usual" in found.sentences[0]
    assert (found.is_broken, found.n_more_people) == (False, None)
    assert [(arm.variant, arm.n_people, arm.policy) for arm in found.arms] == [
        ("usual", 1_500, "home@1"), ("calm", 1_500, "home@2"),
    ]  # fmt: skip


def test_few_conversions_give_no_figure_but_what_is_missing(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 150, "calm": 150}, {"usual": 15, "calm": 45})
    found = report(engine)
    assert by_name(found)["conversion_rate"].variants == []
    assert any("15 of the 100 people" in said for said in found.sentences)
    assert found.n_more_people > 0
    assert found.n_more_days > 0


def test_where_nearly_everybody_converts_no_lift_is_promised_that_no_rate_can_have(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 150, "calm": 150}, {"usual": 140, "calm": 141})
    found = report(engine)
    assert (found.n_more_people, found.n_more_days) == (None, None)
    assert not any("would show" in said for said in found.sentences)


def test_a_broken_assignment_blocks_the_report(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 700, "calm": 1_000}, {"usual": 140, "calm": 400})
    found = report(engine)
    assert found.sample_ratio < 0.001
    assert found.is_broken
    assert (found.metrics, found.subgroups, found.n_more_people) == ([], [], None)
    assert found.sentences == [BROKEN]


def test_bots_and_what_came_before_the_assignment_or_after_the_stop_do_not_count(open_shop):
    engine = open_shop()
    groups = planted(engine, {"usual": 300, "calm": 300}, {"usual": 110, "calm": 110})
    robot = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    late, early = groups["calm"][200:220], groups["calm"][220:240]
    engine.track([event(user, "Order Completed", context=robot) for user in late], source="backend")
    before = iso(NOW_MS - 2 * DAY_MS)
    engine.track([event(user, "Order Completed", timestamp=before) for user in early], source="backend")
    engine.experiments.stop("calmer", engine.core.config.trials, NOW_MS + 1, "test")
    engine.core.clock.set(NOW_MS + DAY_MS)
    engine.track([event(user, "Order Completed") for user in groups["calm"][240:260]], source="backend")
    found = report(engine)
    assert found.state == "stopped"
    assert found.n_more_people
    assert found.n_more_days is None, "nobody more comes"
    assert any("would have shown with about" in said for said in found.sentences)
    conversion = by_name(found)["conversion_rate"]
    assert conversion.n_least == 110
    assert conversion.variants[0].mean == pytest.approx(110 / 300)


def test_an_identity_merge_leaves_everybody_in_their_first_variant_and_biases_nothing(open_shop):
    engine = open_shop()
    groups = planted(engine, {"usual": 400, "calm": 400}, {"usual": 160, "calm": 160})
    pairs = list(zip(groups["usual"][:40], groups["calm"][:40], strict=True))
    engine.track([{"type": "alias", "previousId": calm, "userId": usual} for usual, calm in pairs], source="backend")
    found = report(engine)
    assert found.n_mixed == 40
    assert sum(arm.n_people for arm in found.arms) == 760
    conversion = by_name(found)["conversion_rate"].variants[0]
    low, high = conversion.lift_interval
    assert low < 0 < high


def test_people_of_both_variants_stay_and_a_figure_without_them_stands_beside(open_shop):
    engine = open_shop()
    mixed = frozenset(f"{arm}-{n}" for arm in ARMS for n in range(50))
    planted(engine, {"usual": 1_000, "calm": 1_000}, {"usual": 150, "calm": 240}, mixed=mixed)
    found = report(engine)
    assert found.metrics[0].variants[0].lift == pytest.approx(0.6)
    assert found.without_mixed == {"calm": pytest.approx((190 / 950) / (100 / 950) - 1)}
    assert any("Without the 100 people who saw several variants" in said for said in found.sentences)


def test_no_figure_without_them_where_it_is_too_early_for_one_with_them(open_shop):
    engine = open_shop()
    mixed = frozenset(f"{arm}-{n}" for arm in ARMS for n in range(10))
    planted(engine, {"usual": 200, "calm": 200}, {"usual": 60, "calm": 90}, mixed=mixed)
    found = report(engine)
    assert found.metrics[0].is_early
    assert found.without_mixed == {}
    assert not any("Without the" in said for said in found.sentences)


def test_without_a_figure_where_one_variant_has_more_of_them(open_shop):
    engine = open_shop()
    mixed = frozenset(f"calm-{n}" for n in range(100))
    planted(engine, {"usual": 500, "calm": 500}, {"usual": 110, "calm": 110}, mixed=mixed)
    found = report(engine)
    assert found.without_mixed == {}
    assert any("unequally many" in said for said in found.sentences)


def test_who_withdraws_leaves_the_comparison_and_unequal_withdrawals_are_named(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 0, "calm": 0})
    no = {"consent": {"categoryPreferences": {"measure": False}}}
    engine.track([event(f"calm-{n}", "Product Viewed", context=no) for n in range(60)], source="backend")
    found = report(engine)
    assert [(arm.n_assigned, arm.n_people) for arm in found.arms] == [(300, 300), (300, 240)]
    assert any("withdrew their consent at different rates" in said for said in found.sentences)


def test_who_wants_no_personalization_any_more_stays_in_the_comparison_and_is_named_where_unequal(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 0, "calm": 0})
    no = {"consent": {"categoryPreferences": {"personalize": False, "measure": True}}}
    engine.track([event(f"calm-{n}", "Product Viewed", context=no) for n in range(60)], source="backend")
    found = report(engine)
    assert [arm.n_people for arm in found.arms] == [300, 300]
    assert (
        "Watch out: people withdrew their consent at different rates (0.0% of usual, 20.0% of calm)." in found.sentences
    )


def test_a_guardrail_that_gets_worse_is_named(open_shop):
    engine = open_shop(guardrails=["return_rate"])
    groups = planted(engine, {"usual": 1_000, "calm": 1_000}, {"usual": 500, "calm": 500})
    refunds = [*groups["usual"][:110], *groups["calm"][:300]]
    engine.track([event(user, "Order Refunded") for user in refunds], source="backend")
    found = report(engine)
    assert by_name(found)["return_rate"].variants[0].lift == pytest.approx(190 / 110)
    assert any(said == "Watch out: refunds per order is worse with calm." for said in found.sentences)


def test_the_time_before_narrows_the_intervals(open_shop):
    engine = open_shop(primary="orders", secondary=[])
    groups = users({"usual": 400, "calm": 400})
    faithful = [user for group in groups.values() for user in group[:200]]
    past = [event(user, "Order Completed", timestamp=iso(NOW_MS - 10 * DAY_MS)) for user in faithful]
    engine.track(past, source="backend")
    assign(engine, groups)
    buyers = [user for arm, group in groups.items() for user in [*group[:170], *group[395:]]]
    engine.track([event(user, "Order Completed", order="again") for user in buyers], source="backend")
    found = report(engine)
    assert found.metrics[0].is_adjusted
    assert found.metrics[0].variance_removed > 0.4


def test_subgroups_are_those_of_the_time_of_assignment(open_shop):
    engine = open_shop({"segments": {"keen": "views_7d >= 2"}}, subgroups=["keen"])
    groups = users({"usual": 400, "calm": 400})
    keen = [user for group in groups.values() for user in group[:200]]
    engine.track([event(user, "Product Viewed", messageId=f"early-{user}") for user in keen], source="backend")
    assign(engine, groups)
    engine.track([event(user, "Product Viewed") for group in groups.values() for user in group], source="backend")
    buyers = [*groups["usual"][:60], *groups["usual"][200:260], *groups["calm"][:150], *groups["calm"][200:260]]
    engine.track([event(user, "Order Completed") for user in buyers], source="backend")
    found = report(engine)
    keen_ones, others = (next(s for s in found.subgroups if s.label == label) for label in ("in keen", "not in keen"))
    assert (keen_ones.n, keen_ones.lift) == (400, pytest.approx(1.5))
    assert (others.n, others.lift) == (400, pytest.approx(0.0))
    assert found.differ_p_values["segment keen"] < 0.001


def test_parts_of_several_segments_are_raised_for_all_of_them(open_shop):
    rules = {"keen": "views_7d >= 2", "old_hands": "views_7d >= 3", "new_hands": "views_7d < 3"}
    engine = open_shop({"segments": rules}, subgroups=list(rules), pre_days=0)
    groups = users({"usual": 600, "calm": 600})
    for share in (400, 200):
        seen = [user for group in groups.values() for user in group[:share]]
        engine.track([event(user, "Product Viewed", messageId=f"{share}-{user}") for user in seen], source="backend")
    assign(engine, groups)
    buyers = [user for group in groups.values() for user in group[200:500]]
    buyers += [*groups["usual"][:50], *groups["calm"][:72]]
    engine.track([event(user, "Order Completed") for user in buyers], source="backend")
    found = report(engine)
    alone = compare(Sums.from_totals(200, [50], [[50]]), Sums.from_totals(200, [72], [[72]]), is_proportion=True)
    raised = {one.label: one.raised_p_value for one in found.subgroups}
    assert len(raised) == 6
    assert alone.p_value < 0.05 / 2 < 0.05 < raised["in old_hands"] == pytest.approx(6 * alone.p_value)


def test_a_part_without_a_past_is_compared_as_it_stands(open_shop):
    engine = open_shop(
        {"segments": {"buyers": "orders >= 1"}}, primary="order_value", secondary=[], subgroups=["buyers"]
    )
    groups = users({"usual": 600, "calm": 600})
    engine.track([event(user, "Order Completed") for group in groups.values() for user in group[:300]], "backend")
    assign(engine, groups)
    for arm, price in (("usual", 20), ("calm", 30)):
        orders = [event(user, "Order Completed", order="two") for user in groups[arm]]
        for n, order in enumerate(orders):
            order["properties"]["products"] = [{"product_id": "p1", "price": price + n % 3}]
        engine.track(orders, source="backend")
    parts = {one.label: one for one in report(engine).subgroups}
    assert set(parts) == {"in buyers", "not in buyers"}
    assert parts["not in buyers"].lift == pytest.approx(10 / 21)


def test_a_metric_with_a_cost_gives_its_return_on_investment(open_shop):
    own = {"metrics": {"roi": {"cost": 0.5, "margin": 0.5}}}
    engine = open_shop(own, primary="roi", secondary=[])
    planted(engine, {"usual": 1_000, "calm": 1_000}, {"usual": 150, "calm": 300})
    one = report(engine).metrics[0].variants[0]
    assert one.difference == pytest.approx(0.15 * 20)
    assert one.return_on_investment == pytest.approx((0.5 * 3 - 0.5) / 0.5)
    assert one.return_interval[0] < one.return_on_investment < one.return_interval[1]


def test_the_return_is_said_beside_what_it_is_made_of(open_shop):
    own = {"metrics": {"roi": {"cost": 0.5, "margin": 0.5}}}
    engine = open_shop(own, primary="conversion_rate", secondary=["roi"])
    planted(engine, {"usual": 1_000, "calm": 1_000}, {"usual": 150, "calm": 300})
    found = report(engine)
    assert any(said.startswith("The return on what calm costs is +200%") for said in found.sentences)
    assert not any("return on investment is" in said for said in found.sentences)


def test_orders_in_another_currency_are_in_no_sum_and_no_denominator_and_are_named(open_shop):
    engine = open_shop(primary="order_value", secondary=["revenue"], pre_days=0)
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 110, "calm": 120})
    dollars = [event(f"calm-{place}", "Order Completed", order="two") for place in range(40)]
    for one in dollars:
        one["properties"]["currency"] = "USD"
    assert not any("amounts in" in said for said in report(engine).sentences)
    engine.track(dollars, source="backend")
    found = report(engine)
    assert (found.metrics[0].control_mean, found.metrics[0].variants[0].mean) == (20.0, 20.0)
    assert found.sentences[-1] == (
        "Watch out: 40 events with amounts in USD add nothing to order value, revenue per visitor, which count EUR "
        "alone."
    )


def test_a_mail_or_a_refund_is_no_coming_back_and_no_engagement(open_shop):
    engine = open_shop(primary="retention", secondary=["engagement_rate"], pre_days=0)
    groups = users({"usual": 200, "calm": 200})
    assign(engine, groups)
    clock: VirtualClock = engine.core.clock  # type: ignore[assignment]
    clock.set(NOW_MS + 6 * DAY_MS)
    everybody = [user for group in groups.values() for user in group]
    for name in ("Email Delivered", "Email Opened", "Order Refunded"):
        engine.track([event(user, name) for user in everybody], source="backend")
    clock.set(NOW_MS + 7 * DAY_MS)
    came = [user for group in groups.values() for user in group[:120]]
    engine.track([event(user, "Product Viewed") for user in came], source="backend")
    clock.set(NOW_MS + 20 * DAY_MS)
    metrics = by_name(report(engine))
    for name in ("retention", "engagement_rate"):
        assert (metrics[name].control_n, metrics[name].control_mean) == (200, 0.6)
        assert metrics[name].variants[0].mean == 0.6


def test_settings_that_were_changed_while_it_ran_are_named(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 110, "calm": 110})
    assert not any("changed" in said for said in report(engine).sentences)
    rewrite(engine, "diversity = 0.5", "diversity = 0.9")
    found = report(engine)
    assert found.arms[1].policy == "home@3"
    assert [said for said in found.sentences if "changed" in said] == [
        f"Watch out: the settings of calm were changed on {iso(NOW_MS)[:10]}; the figures are of before and after "
        "together."
    ]


def test_settings_that_were_changed_once_it_was_stopped_spoil_nothing(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 110, "calm": 110})
    engine.experiments.stop("calmer", engine.core.config.trials, NOW_MS, "test")
    engine.core.clock.set(NOW_MS + DAY_MS)  # type: ignore[attr-defined]
    rewrite(engine, "diversity = 0.5", "diversity = 0.9")
    assert not any("changed" in said for said in report(engine).sentences)


def test_people_of_a_variant_that_the_file_has_no_more_are_named(open_shop):
    arms = {name: {} for name in ("usual", "calm", "bold")}
    engine = open_shop(variants=arms)
    planted(engine, {"usual": 300, "calm": 300, "bold": 300}, {"usual": 110, "calm": 110, "bold": 110})
    rewrite(engine, "[experiments.calmer.variants.bold]\n", "")
    found = report(engine)
    assert [arm.variant for arm in found.arms] == ["usual", "calm"]
    assert any("300 people were in a variant that the file has no more" in said for said in found.sentences)


def test_an_a_a_experiment_says_that_nothing_differs(open_shop):
    engine = open_shop(kind="aa", variants={"usual": {}, "calm": {}})
    planted(engine, {"usual": 300, "calm": 300}, {"usual": 110, "calm": 110})
    found = report(engine)
    assert any("The arms do not differ" in said for said in found.sentences)
    assert {arm.policy for arm in found.arms} == {"home@1"}


def test_several_variants_are_raised_for_being_many(open_shop):
    arms = {"usual": {}, "calm": {"settings": {"diversity": 0.5}}, "bold": {"settings": {"diversity": 0.9}}}
    engine = open_shop(variants=arms)
    planted(engine, dict.fromkeys(arms, 1_000), {"usual": 150, "calm": 150, "bold": 215})
    bold = next(one for one in report(engine).metrics[0].variants if one.variant == "bold")
    assert bold.raised_p_value == pytest.approx(min(1.0, 2 * bold.p_value))


def test_an_experiment_that_is_not_there_is_refused_with_the_names(open_shop):
    engine = open_shop()
    with pytest.raises(UnknownName, match="calmer"):
        experiment_report(engine.core, "calm")


def test_a_plan_says_how_many_people_show_a_lift(open_shop):
    engine = open_shop()
    planted(engine, {"usual": 500, "calm": 500}, {"usual": 50, "calm": 50})
    feed(engine.core)
    found = experiment_plan(engine.core, "conversion_rate", lifts=(0.1, 0.5))
    assert (found.mean, found.n_visitors) == (0.1, 1_000)
    assert found.needed[0].n_people > found.needed[1].n_people > 0
    assert found.needed[0].n_days > found.needed[1].n_days > 0
    halved = experiment_plan(engine.core, "conversion_rate", lifts=(0.1,), coverage=0.5)
    assert halved.needed[0].n_days > found.needed[0].n_days
    with pytest.raises(InvalidInput, match="too few"):
        experiment_plan(engine.core, "return_rate")


def test_a_plan_counts_who_comes_into_the_two_arms_that_are_compared(open_shop):
    weights = {"usual": {"weight": 0.4}, "calm": {"weight": 0.1}, "bold": {"weight": 0.5}}
    engine = open_shop(
        {"placements": {"home": {"launch": 0.5}}},
        variants=weights,
        coverage=0.5,
        namespace="home",
        namespace_range=[0.0, 0.5],
    )
    assert taking_part(engine.core, "calmer") == (pytest.approx(0.2), pytest.approx(0.5 * 0.5 * 0.5 * 0.5))
    with pytest.raises(UnknownName, match="calmer"):
        taking_part(engine.core, "calm")
