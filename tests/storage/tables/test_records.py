"""Decisions, models, configuration, settings, cursors, jobs and the audit log, on both stores."""

from __future__ import annotations

from bespeak.signals.decisions import Decision, Exposure, Reason, ShownItem
from bespeak.storage.tables import records
from bespeak.storage.tables.records import Job


def decision(name: str, time_ms: int = 1, person: int | None = 1, **more: object) -> Decision:
    reason = Reason(signal="popular", value=1.0, weight=2.0, contribution=2.0, text="popular")
    shown = ShownItem(item_id="p1", position=1, score=2.0, sources=("popular",), reasons=(reason,), features={"f": 1.0})
    given = {"placement": "home", "mode": "profiled", "policy": "home@1", "items": (shown,), "context": {"page": {}}}
    return Decision(decision_id=name, time_ms=time_ms, person=person, **{**given, **more})  # type: ignore[arg-type]


def test_a_decision_comes_back_whole_and_a_repeated_id_keeps_the_first(store):
    first = decision("d1", candidates=(("p2", 0.5),), models={"ease": 3})
    with store.write() as tx:
        records.add_decisions(tx, [first, decision("d1", 9)])
    with store.write() as tx:
        records.add_decisions(tx, [decision("d1", 10)])
    with store.read() as session:
        assert records.decision(session, "d1") == first
        assert records.decision(session, "d2") is None


def test_decisions_are_listed_by_time_person_and_id(store):
    made = [decision("b", 20, 1), decision("a", 30, 2), decision("c", 10, 1), decision("d", 5, None)]
    with store.write() as tx:
        records.add_decisions(tx, made)
    with store.read() as session:
        assert [d.decision_id for d in records.decisions(session, 5, 2)] == ["a", "b"]
        assert [d.decision_id for d in records.decisions_of(session, [1, 2])] == ["c", "b", "a"]
        assert [d.decision_id for d in records.decision_page(session, "a", 2)] == ["b", "c"]
        assert records.decisions_of(session, []) == []


def test_decisions_of_a_placement_are_walked_back_with_what_was_seen_of_them(store):
    made = [decision("b", 20), decision("a", 20), decision("c", 10), decision("s", 30, placement="search")]
    with store.write() as tx:
        records.add_decisions(tx, made)
        records.add_exposures(tx, [Exposure(decision_id="c", item_id="p1", position=1, time_ms=11, person=1)])
    with store.read() as session:
        first = records.placement_page(session, "home", None, 2)
        assert [d.decision_id for d in first] == ["b", "a"]
        assert [d.decision_id for d in records.placement_page(session, "home", (20, "b"), 1)] == ["a"]
        assert [d.decision_id for d in records.placement_page(session, "home", (20, "a"), 2)] == ["c"]
        assert records.placement_page(session, "home", (10, "c"), 2) == []
        assert records.exposed(session, ["a", "b", "c"]) == {"c": {"p1"}}
        assert records.exposed(session, []) == {}


def test_decisions_of_persons_at_a_placement_since_a_time_made_for_them_or_seen_by_them(store):
    made = [decision("a", 10, 1), decision("b", 20, 1), decision("c", 30, 2), decision("s", 40, 1, placement="search")]
    seen = [
        Exposure(decision_id=name, item_id="p1", position=1, time_ms=t, person=3) for name, t in (("a", 11), ("c", 31))
    ]
    with store.write() as tx:
        records.add_decisions(tx, made)
        records.add_exposures(tx, seen)
    with store.read() as session:
        assert [d.decision_id for d in records.decisions_for(session, "home", [1, 3], 10)] == ["b"]
        assert records.decisions_for(session, "home", [], 0) == []
        assert records.decisions_seen(session, range(2_000), 11) == {"c"}
        assert records.decisions_seen(session, [3, 3], 0) == {"a", "c"}


def test_the_first_time_an_item_of_a_decision_is_seen_counts(store):
    seen = [Exposure(decision_id="d", item_id="p", position=1, time_ms=t, person=1) for t in (5, 9)]
    other = Exposure(decision_id="d", item_id="q", position=2, time_ms=3, person=1)
    for batch in (seen, [*seen, other]):
        with store.write() as tx:
            records.add_exposures(tx, batch)
    with store.read() as session:
        assert records.exposures_of(session, [1, 2]) == [other, seen[0]]


def test_a_new_model_version_is_the_current_one_of_its_name(store):
    with store.write() as tx:
        first = records.add_model(tx, "models", 1, "a", b"1")
        other = records.add_model(tx, "other", 2, "o", b"o")
        second = records.add_model(tx, "models", 3, "b", b"2")
    with store.read() as session:
        assert [(m.version, m.state) for m in records.models(session, "models")] == [
            (second, "current"),
            (first, "old"),
        ]
        assert [m.version for m in records.models(session, state="current")] == [second, other]
        assert records.versions(session)["models"] == 3
    with store.write() as tx:
        records.drop_model(tx, first)
    with store.read() as session:
        assert [m.version for m in records.models(session, "models")] == [second]


def test_the_newest_configuration_is_the_active_one(store):
    with store.read() as session:
        assert records.current_config(session) is None
    with store.write() as tx:
        records.add_config(tx, 1, "file", "x", "one")
        version = records.add_config(tx, 2, "file", "y", "[two]\nname = 'é'")
    with store.read() as session:
        active = records.current_config(session)
        assert (active.version, active.digest, active.body) == (version, "y", "[two]\nname = 'é'")
        assert records.versions(session)["config"] == 2


def test_settings_cursors_and_imports_are_what_was_written_last(store):
    with store.read() as session:
        assert (records.setting(session, "a"), records.cursor(session, "c")) == (None, 0)
        assert records.import_position(session, b"k") == (0, False)
    for n in (1, 2):
        with store.write() as tx:
            records.put_setting(tx, "a", bytes([n]))
            records.put_cursor(tx, "c", n)
            records.put_import(tx, b"k", n * 10, n == 2, 5)
    with store.read() as session:
        assert (records.setting(session, "a"), records.cursor(session, "c")) == (b"\x02", 2)
        assert records.import_position(session, b"k") == (20, True)


def test_a_job_that_never_ran_is_idle_and_due(store):
    ran = Job(name="lake", state="running", owner="a", lease_until_ms=1 << 41, fence=3, due_ms=4, cursor="c", note="n")
    with store.write() as tx:
        assert records.job(tx, "lake") == Job(name="lake")
        records.put_job(tx, Job(name="train"))
        records.put_job(tx, Job(name="lake"))
        records.put_job(tx, ran)
    with store.read() as session:
        assert records.jobs(session) == [ran, Job(name="train")]


def test_the_audit_log_is_read_from_its_end(store):
    for n in range(3):
        with store.write() as tx:
            records.add_audit(tx, n, "privacy", "erase", f"d{n}")
    with store.read() as session:
        assert records.audit(session, 2) == [(2, "privacy", "erase", "d2"), (1, "privacy", "erase", "d1")]


def test_decisions_are_found_by_their_ids(store):
    made = [decision("d1"), decision("d2"), decision("d3")]
    with store.write() as tx:
        records.add_decisions(tx, made)
    with store.read() as session:
        found = records.decisions_named(session, ["d3", "d1", "nothing"])
        assert sorted(one.decision_id for one in found) == ["d1", "d3"]
