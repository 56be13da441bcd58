"""Lists for everybody: the same as decisions, what a person refused holds, whole files in bounded memory or none."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views import recommendations
from bespeak.errors import InvalidInput, UnknownName

NO = {"consent": {"categoryPreferences": {"personalize": False}}}
N_PEOPLE = 7


def event(user: str, n: int, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": user,
        "messageId": f"{user}-{n}",
        "properties": {"order_id": f"{user}-{n}", "products": [{"product_id": f"p{n}"}]},
        **more,
    }


def rows(path):
    return pq.read_table(path).to_pylist()


def listed(path, user):
    return [(row["item"], row["score"]) for row in rows(path) if row["user"] == user]


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(recommendations, "BATCH", 3)
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p") as engine:
        engine.items.put([{"id": f"p{n}", "title": f"Thing {n}"} for n in range(12)])
        for user in range(N_PEOPLE):
            engine.track([event(f"u{user}", (user + n) % 9) for n in range(3)], "backend")
        engine.core.refresh()
        yield engine


def test_everybody_gets_what_a_decision_would_show_them(engine, tmp_path):
    shares: list[float] = []
    told = engine.recommend("home", tmp_path / "x.parquet", count=4, progress=shares.append)
    assert (told.n_people, told.n_rows, told.by_mode) == (N_PEOPLE, len(rows(tmp_path / "x.parquet")), {"profiled": 7})
    for user in range(N_PEOPLE):
        slate = engine.decide("home", user_id=f"u{user}", count=4)
        assert [item for item, _ in listed(tmp_path / "x.parquet", f"u{user}")] == slate.item_ids
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_ranks_count_from_one_and_the_file_says_where_it_came_from(engine, tmp_path):
    engine.recommend("home", tmp_path / "x.parquet", count=4)
    found = [row for row in rows(tmp_path / "x.parquet") if row["user"] == "u3"]
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    assert found[0] | {"item": "", "score": 0.0, "generated_at": None} == {
        "user": "u3", "item": "", "rank": 1, "score": 0.0, "mode": "profiled", "variant": None, "placement": "home",
        "policy": "home@1", "models": 0, "generated_at": None,
    }  # fmt: skip
    assert len({row["generated_at"] for row in rows(tmp_path / "x.parquet")}) == 1


def test_what_a_person_bought_is_not_recommended(engine, tmp_path):
    engine.recommend("home", tmp_path / "x.parquet", count=12)
    assert not {"p3", "p4", "p5"} & {item for item, _ in listed(tmp_path / "x.parquet", "u3")}


def test_whoever_refuses_profiling_gets_the_list_of_everybody(engine, tmp_path):
    engine.track([event("u3", 8, context=NO), event("u5", 8, context=NO)], "backend")
    told = engine.recommend("home", tmp_path / "x.parquet", count=12)
    assert told.by_mode == {"profiled": N_PEOPLE - 2, "non_profiled": 2}
    assert listed(tmp_path / "x.parquet", "u3") == listed(tmp_path / "x.parquet", "u5")
    assert {"p3", "p4", "p5"} <= {item for item, _ in listed(tmp_path / "x.parquet", "u3")}


def test_whoever_is_in_the_control_of_an_experiment_gets_what_a_decision_would_show_them(tmp_path):
    create(tmp_path / "p", token_key=("private", ""), settings={"placements": {"home": {"launch": 0.5}}})
    with Engine.open(tmp_path / "p") as engine:
        engine.items.put([{"id": f"p{n}", "title": f"Thing {n}"} for n in range(12)])
        for user in range(20):
            engine.track([event(f"u{user}", (user + n) % 9) for n in range(3)], "backend")
        engine.core.refresh()
        told = engine.recommend("home", tmp_path / "x.parquet", count=4)
        variants = {row["user"]: row["variant"] for row in rows(tmp_path / "x.parquet")}
        assert set(variants.values()) == {"control", "personalized"}
        for user, variant in variants.items():
            slate = engine.decide("home", user_id=user, count=4)
            assert [item for item, _ in listed(tmp_path / "x.parquet", user)] == slate.item_ids
            assert (slate.decision.mode == "anonymous") == (variant == "control")
        assert told.n_control == list(variants.values()).count("control")


def test_an_erased_person_stands_in_no_later_file(engine, tmp_path):
    engine.privacy.erase("u2")
    told = engine.recommend("home", tmp_path / "x.parquet")
    assert told.n_people == N_PEOPLE - 1
    assert not listed(tmp_path / "x.parquet", "u2")


def test_lists_are_no_decisions_in_the_log(engine, tmp_path):
    engine.recommend("home", tmp_path / "x.parquet")
    engine.core.drain()
    with engine.core.store.read() as session:
        assert session.row("SELECT count(*) FROM decisions") == (0,)


def test_people_for_whom_no_item_is_left_are_counted(engine, tmp_path):
    engine.items.put([{"id": f"p{n}", "title": "gone", "available": False} for n in range(12)])
    told = engine.recommend("home", tmp_path / "x.parquet")
    assert (told.n_people, told.n_empty) == (0, N_PEOPLE)
    assert not rows(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("placement", "name", "more", "error", "match"),
    [
        ("hom", "x.parquet", {}, UnknownName, "Did you mean 'home'"),
        ("home", "x.csv", {}, InvalidInput, "names no Parquet file"),
        ("home", "no/x.parquet", {}, InvalidInput, "cannot be written"),
        ("home", "x.parquet", {"count": 0}, InvalidInput, "count"),
    ],
)
def test_bad_input_is_named_and_leaves_no_file(engine, tmp_path, placement, name, more, error, match):
    with pytest.raises(error, match=match):
        engine.recommend(placement, tmp_path / name, **more)
    assert not list(tmp_path.glob("x*"))


def test_a_failure_half_way_keeps_the_file_that_was_there(engine, tmp_path):
    engine.recommend("home", tmp_path / "x.parquet", count=4)
    before = (tmp_path / "x.parquet").read_bytes()

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.recommend("home", tmp_path / "x.parquet", progress=stop)
    assert (tmp_path / "x.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.glob("x*")] == ["x.parquet"]


def test_an_empty_project_says_what_to_do(tmp_path):
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p") as engine, pytest.raises(InvalidInput, match="Nobody is known yet"):
        engine.recommend("home", tmp_path / "x.parquet")
