import numpy as np
import pytest

from bespeak.learn.splits import live, per_person
from bespeak.learn.train import Trained, train
from bespeak.models import Ease, History, ImplicitMf, Interactions, ItemContent, Popularity, RecentPopularity

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def trained(tasteful_log, tastes) -> Trained:
    return train(tasteful_log, tastes, seed=3)


def test_people_with_tastes_get_a_model_that_beats_popularity_beyond_noise(trained) -> None:
    boards = {board.protocol: board for board in trained.boards}
    assert list(boards) == ["live", "calendar", "per person"]
    for board in (boards["live"], boards["per person"]):
        assert board.rows[board.winner].difference.above_zero
    assert trained.model.personal


def test_where_nobody_has_a_taste_hardly_anything_is_claimed() -> None:
    """Of twelve 95 % intervals around nothing, .3 lie above zero on average; three or more come once in 300 times."""
    gains = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        n = 1500
        data = Interactions.from_events(
            [f"u{u}" for u in rng.integers(0, 100, n)],
            [f"i{i}" for i in np.minimum(rng.zipf(1.5, n), 40)],
            times_ms=rng.integers(0, 1000, n) * HOUR_MS,
        )
        gains += [board.rows[board.winner].difference for board in train(data, seed=1).boards]
    assert len(gains) == 12
    assert sum(gain is not None and gain.above_zero for gain in gains) < 3


def test_the_reporting_cut_plays_no_part_in_the_choice(tasteful_log) -> None:
    """The same log with its reporting rows shuffled among items: other figures, the same choice."""
    candidates = [Popularity(), Ease(l2=5.0), Ease(l2=50.0), ImplicitMf(factors=4, threads=1)]
    cut = per_person(tasteful_log)
    kept = np.isin(tasteful_log.source_rows, cut.fit.source_rows)
    items = tasteful_log.item_index.copy()
    items[~kept] = np.random.default_rng(2).permutation(items[~kept])
    other = Interactions.from_arrays(
        tasteful_log.user_ids, tasteful_log.item_ids, tasteful_log.user_index, items, times_ms=tasteful_log.times_ms
    )
    boards = [train(data, candidates=candidates).boards[-1] for data in (tasteful_log, other)]
    assert [board.protocol for board in boards] == ["per person"] * 2
    chosen = [[(row.model, row.settings, row.choosing) for row in board.rows if row.choosing] for board in boards]
    assert chosen[0] == chosen[1]
    assert boards[0].rows[0].ndcg.mean > boards[1].rows[0].ndcg.mean + 0.1


def test_the_final_fit_sees_everything(trained, tasteful_log) -> None:
    assert trained.interactions.matrix.nnz == tasteful_log.matrix.nnz
    votes = trained.members["popularity"].scores([History.empty()], 0)[0]
    np.testing.assert_array_equal(votes, Popularity().fit(tasteful_log).scores([History.empty()], 0)[0])


def test_all_members_rank_the_same_items_and_new_ones_are_among_them(tasteful_log, tastes) -> None:
    content = ItemContent([*tastes.item_ids, "new"], attributes={"taste": [*tastes.attributes["taste"], ["taste 1"]]})
    found = train(tasteful_log, content)
    assert {"popularity", "recent_popularity", "trending", "item_neighbours", "ease", "content"} <= set(found.members)
    for model in [found.model, *found.members.values()]:
        assert list(model.item_ids) == [*tasteful_log.item_ids, "new"]
    liked = History.of([tasteful_log.positions[item] for item in ("i01", "i05", "i09")])
    assert found.members["content"].scores([liked], 0)[0, -1] > 0


def test_the_same_seed_gives_the_same_training_again(trained, tasteful_log, tastes) -> None:
    again = train(tasteful_log, tastes, seed=3)
    assert again.sentences() == trained.sentences()
    assert again.model.settings() == trained.model.settings()
    for name, array in trained.model.arrays().items():
        assert array.tobytes() == again.model.arrays()[name].tobytes(), name


def test_events_after_now_are_left_out(tasteful_log) -> None:
    moment = int(np.median(tasteful_log.times_ms))
    found = train(tasteful_log, candidates=[Popularity(), RecentPopularity()], now_ms=moment)
    assert found.interactions.last_ms <= moment
    assert len(found.interactions) == (tasteful_log.times_ms <= moment).sum()


def test_progress_never_goes_back_and_ends_at_one(tasteful_log, tastes) -> None:
    shares: list[float] = []
    train(tasteful_log, tastes, progress=lambda stage, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_metrics_are_those_of_the_model_in_use(trained) -> None:
    metrics = trained.metrics()
    board = trained.boards[0]
    assert metrics["live.ndcg@10"] == board.rows[board.in_use].ndcg.mean
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize(
    "data",
    [
        Interactions.from_events([], []),
        Interactions.from_events([], [], item_ids=["x", "y"]),
        Interactions.from_events(["a"], ["x"], times_ms=[5]),
        Interactions.from_events(["a", "b"], ["x", "x"], times_ms=[5, 6]),
        Interactions.from_events([f"u{u}" for u in range(9)], ["x"] * 9, times_ms=range(9)),
        Interactions.from_events(["a"] * 9, [f"i{i}" for i in range(9)], times_ms=range(9)),
        Interactions.from_events(list("abcabcabc"), list("xyzyzxzxy"), [-1.0] * 9, range(9)),
        Interactions.from_events(list("abcabcabc"), list("xyzyzxzxy"), times_ms=[7] * 9),
        Interactions.from_events(list("abcabcabc"), list("xxxxxxxxx"), times_ms=range(9)),
        Interactions.from_events([f"u{u}" for u in range(50)], [f"i{u}" for u in range(50)], times_ms=range(50)),
    ],
    ids=[
        "nothing",
        "only items",
        "one event",
        "one item, two people",
        "one item, one event each",
        "one person",
        "only dislikes",
        "all at once",
        "the same again and again",
        "everybody alone",
    ],
)
def test_data_too_small_to_learn_from_gets_a_sensible_answer(data: Interactions) -> None:
    found = train(data)
    ranking = found.model.recommend(["a", "somebody new"], 2, exclude_seen=False)
    assert [len(ranking.items(row)) for row in (0, 1)] == [min(2, data.n_items)] * 2
    assert found.sentences()[0].startswith(f"{len(set(data.user_index)):,} people, {data.n_items:,} items")
    assert "nan" not in " ".join(found.sentences())


def test_with_one_event_per_person_popularity_is_used_and_said_so() -> None:
    data = Interactions.from_events([f"u{u}" for u in range(9)], [*"xxxxxyyyz"], times_ms=range(9))
    found = train(data)
    assert found.model.recommend(["new"], 3).items(0) == ["x", "y", "z"]
    assert "popularity is used until somebody has" in found.sentences()[1]


def test_every_row_can_count_as_right_when_asked(tasteful_log) -> None:
    halved = Interactions.from_arrays(
        tasteful_log.user_ids,
        tasteful_log.item_ids,
        tasteful_log.user_index,
        tasteful_log.item_index,
        weights=np.where(np.arange(len(tasteful_log)) % 2, 1.0, -1.0),
        times_ms=tasteful_log.times_ms,
    )
    asked = {relevant: live(halved, relevant=relevant).truth.nnz for relevant in ("positive", "every")}
    assert asked["every"] > asked["positive"] > 0
    found = train(halved, candidates=[Popularity()], relevant="every")
    assert found.sentences()[-1].endswith("Right answers were every later event with items new to the person.")


def test_every_decision_pays_for_sources_and_for_what_the_chosen_model_is_made_of_alone(trained) -> None:
    parts = {part["name"] for part in getattr(trained.model, "members", [{"name": trained.model.name}])}
    assert parts <= set(trained.members)
    assert not {"slist", "session_links", "graph_filter", "sparse_inverse"} - parts & set(trained.members)


def test_where_nobody_comes_back_the_next_cut_chooses_without_a_report(tasteful_log) -> None:
    """Everybody visits once, one after the other: no date has anybody on both sides of it."""
    one_visit = Interactions.from_arrays(
        tasteful_log.user_ids,
        tasteful_log.item_ids,
        tasteful_log.user_index,
        tasteful_log.item_index,
        times_ms=np.arange(len(tasteful_log)) * HOUR_MS,
    )
    found = train(one_visit, candidates=[Popularity(), Ease(l2=5.0)], asked="returning", reports=False)
    assert found.choice is not None
    assert found.choice.n_asked >= 30
    assert found.model.personal
