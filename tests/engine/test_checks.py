"""Doctor: every check passes a sound project and finds the trouble that it is named for."""

from __future__ import annotations

import pytest

from bespeak.engine.checks import CHECKS, FAIL, PASS, WARN, catalogue, intake, profiles, project, run_checks
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.jobs import run_due
from bespeak.engine.project import create
from bespeak.storage.tables import log, people
from bespeak.storage.tables.people import ProfileRow

NOW = 1_760_000_000_000
DAY = 86_400_000


@pytest.fixture
def clock():
    return VirtualClock(NOW)


@pytest.fixture
def engine(tmp_path, clock):
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p", clock=clock) as engine:
        engine.items.put([{"id": f"p{i}", "title": f"Item {i}", "price": 9.5, "currency": "EUR"} for i in range(8)])
        yield engine


def view(user: str, n: int = 0, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": user,
        "messageId": f"{user}-{n}",
        "properties": {"product_id": f"p{n % 8}"},
        **more,
    }


def test_profiles_that_wait_to_be_folded_anew_are_counted_and_are_no_failure(engine):
    engine.track([view(f"u{i}", n) for i in range(8) for n in range(6)], "backend")
    engine.items.put([{"id": "p1", "title": "x", "attributes": {"genre": "jazz"}}])
    path = engine.core.folder.config_path
    path.write_text(path.read_text() + "\n[signals.classes.view]\nhalf_life_days = 3\n")
    engine.core.apply()
    waiting = profiles.refolded_profiles(engine.core)
    assert (waiting.status, waiting.n) == (WARN, 8)
    assert profiles.rebuilt_profiles(engine.core).status == PASS
    run_due(engine, "a")
    assert profiles.refolded_profiles(engine.core).status == PASS
    assert profiles.rebuilt_profiles(engine.core).status == PASS


def test_a_sound_project_passes_every_check(engine):
    engine.track([view(f"u{i}", n) for i in range(8) for n in range(6)], "backend")
    engine.models.train()
    found = run_checks(engine.core)
    assert len(found) == len(CHECKS)
    assert {finding.name: finding.message for finding in found if finding.status != PASS} == {}
    assert all(finding.message for finding in found)


def test_every_finding_that_is_no_pass_says_what_to_do(engine):
    engine.track([view("u1", event="Frobnicated")], "backend")
    assert all(finding.advice and finding.n for finding in run_checks(engine.core) if finding.status != PASS)


def test_a_changed_file_is_found(engine):
    path = engine.core.folder.config_path
    path.write_text(path.read_text() + "\n# changed\n")
    with Engine.open(engine.core.folder.root) as other:
        assert project.configuration(other.core).status == WARN
        other.core.apply()
        assert project.configuration(other.core).status == PASS


def test_rejects_of_the_last_days_are_found_by_reason_and_old_ones_forgotten(engine, clock):
    engine.track([view(f"u{i}") for i in range(20)], "backend")
    engine.track([{"type": "track", "event": "x"}], "backend")
    finding = intake.rejects(engine.core)
    assert (finding.status, finding.n) == (WARN, 1)
    engine.track([{"type": "track", "event": f"x{i}"} for i in range(10)], "backend")
    assert intake.rejects(engine.core).status == FAIL
    clock.advance(8 * DAY)
    assert intake.rejects(engine.core).status == PASS


def test_a_clock_that_is_a_year_off_is_found_but_not_in_imports(engine):
    engine.track([view("u1", timestamp="2024-01-01T00:00:00Z")], "import")
    assert intake.clocks(engine.core).status == PASS
    engine.track([view("u2", timestamp="2024-01-01T00:00:00Z")], "backend")
    assert (intake.clocks(engine.core).status, intake.clocks(engine.core).n) == (WARN, 1)


def test_a_consent_category_that_means_nothing_is_named(engine):
    preferences = {"personalize": True, "Marketing": True}
    engine.track([view("u1", context={"consent": {"categoryPreferences": preferences}})], "backend")
    finding = intake.consent_categories(engine.core)
    assert finding.status == WARN
    assert "Marketing" in finding.message


def test_an_unknown_event_about_an_item_is_named(engine):
    engine.track([view("u1", event="Frobnicated")], "backend")
    finding = intake.event_names(engine.core)
    assert finding.status == WARN
    assert "Frobnicated" in finding.message


def test_many_bots_are_found(engine):
    robot = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    engine.track([view("u1", n, context=robot) for n in range(5)] + [view("u2")], "backend")
    assert (intake.bots(engine.core).status, intake.bots(engine.core).n) == (WARN, 5)


def test_items_without_title_price_or_known_currency_are_named(engine):
    engine.items.put([{"id": "bare"}, {"id": "odd", "title": "Odd", "price": 3, "currency": "XYZ"}])
    assert catalogue.titles(engine.core).n == 1
    assert catalogue.prices(engine.core).n == 1
    assert "bare" in catalogue.titles(engine.core).message
    assert "XYZ" in catalogue.currencies(engine.core).message


def test_a_projects_market_holds_for_its_placements_and_one_that_no_item_has_is_named(engine):
    path = engine.core.folder.config_path
    path.write_text(path.read_text().replace("[project]", '[project]\nmarket = "at"', 1))
    engine.core.apply()
    assert {placement.market for placement in engine.core.world.placements.values()} == {"at"}
    assert (catalogue.markets(engine.core).status, catalogue.markets(engine.core).n) == (WARN, 1)
    engine.items.put([{"id": "p1", "title": "One", "markets": {"at": {"price": 500, "currency": "EUR"}}}])
    assert catalogue.markets(engine.core).status == PASS
    prices = {item["id"]: item["properties"].get("price") for item in engine.decide("home").to_json()["items"]}
    assert prices["p1"] == 500


def test_a_catalogue_of_stubs_is_found(engine):
    engine.track([{**view("u1", n), "properties": {"product_id": f"new{n}"}} for n in range(8)], "backend")
    engine.core.refresh()
    assert (catalogue.stubs(engine.core).status, catalogue.stubs(engine.core).n) == (WARN, 8)


def test_a_placement_that_can_show_nothing_fails(engine):
    path = engine.core.folder.config_path
    path.write_text(path.read_text().replace("[placements.home]", '[placements.home]\nfilter = "price < 0"'))
    engine.core.apply()
    finding = catalogue.placements(engine.core)
    assert finding.status == FAIL
    assert "home" in finding.message


def test_a_missing_and_an_old_model_are_found(engine, clock):
    engine.track([view(f"u{i}", n) for i in range(8) for n in range(6)], "backend")
    assert project.model_age(engine.core).status == WARN
    engine.models.train()
    assert project.model_age(engine.core).status == PASS
    clock.advance(40 * DAY)
    assert project.model_age(engine.core).status == WARN


def test_a_lake_far_behind_the_log_is_found(engine, monkeypatch):
    monkeypatch.setattr(project, "LAKE_LAG", 3)
    engine.track([view("u1", n) for n in range(8)], "backend")
    assert (project.lake_lag(engine.core).status, project.lake_lag(engine.core).n) == (WARN, 8)


def test_a_profile_that_is_not_what_its_log_says_fails(engine):
    engine.track([view("u1"), view("u2", 1)], "backend")
    assert profiles.rebuilt_profiles(engine.core).status == PASS
    one, two = engine.profiles.find("u1"), engine.profiles.find("u2")
    assert one is not None
    assert two is not None
    with engine.core.people_write() as tx:
        body = people.profiles(tx, [two])[two].body
        people.put_profiles(tx, [ProfileRow(one, 9, NOW, body)])
    assert (profiles.rebuilt_profiles(engine.core).status, profiles.rebuilt_profiles(engine.core).n) == (FAIL, 1)


def test_the_log_is_only_read(engine):
    engine.track([view("u1")], "backend")
    with engine.core.store.read() as session:
        before = log.count(session)
    run_checks(engine.core)
    with engine.core.store.read() as session:
        assert log.count(session) == before


def test_one_wrong_item_does_not_undo_a_filter_and_is_named(engine):
    items = [{"id": f"r{n}", "title": "x", "attributes": {"rating": 4.5, "stock": 9}} for n in range(40)]
    engine.items.put([*items, {"id": "odd", "title": "x", "attributes": {"rating": "n/a", "stock": "3"}}])
    assert engine.decide("home", filter="rating >= 4", count=50).item_ids == sorted(item["id"] for item in items)
    assert engine.decide("home", filter="stock = 3").item_ids == ["odd"]
    found = catalogue.attribute_types(engine.core)
    assert (found.status, found.n) == (WARN, 2)
    assert "rating: 40 numbers, 1 texts such as on odd" in found.message
    engine.items.patch({"odd": {"attributes": {"rating": None, "stock": 3}}})
    assert catalogue.attribute_types(engine.core).status == PASS


def test_a_pin_that_nothing_may_fulfil_is_named(engine):
    path = engine.core.folder.config_path
    pins = '[{ position = 1, item = "p1" }, { position = 30, item = "p%s" }]'
    pinned = f'[placements.top]\nfilter = "price > 5"\npins = {pins}\n'
    text = path.read_text()
    path.write_text(text + "\n" + pinned % "2")
    engine.core.apply()
    assert catalogue.pins(engine.core).status == PASS
    path.write_text(text + "\n" + pinned % "99")
    engine.core.apply()
    found = catalogue.pins(engine.core)
    assert (found.status, found.message) == (WARN, "nothing may stand where it is kept: top at 30")
