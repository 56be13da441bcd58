import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.learn.leaderboard import best_items, sampled
from bespeak.learn.splits import (
    calendar,
    held_out,
    leave_one_out,
    live,
    per_person,
    repeated,
    rolling,
    rolling_by_person,
    strangers,
)
from bespeak.models import Content, Interactions, ItemContent, ItemNeighbours


def log(rows: list[tuple[str, str, int]], weights: list[float] | None = None) -> Interactions:
    users, items, times = zip(*rows, strict=True)
    return Interactions.from_events(users, items, weights, times)


def asked(split) -> dict[str, set[str]]:
    """Person -> right answers."""
    return {
        split.fit.user_ids[user]: {split.fit.item_ids[i] for i in split.truth[[row]].indices}
        for row, user in enumerate(split.people.tolist())
    }


ROWS = [("a", "v", 1), ("b", "v", 2), ("a", "w", 3), ("a", "x", 4), ("b", "x", 5), ("c", "x", 6), ("a", "y", 7)]


def test_calendar_sees_the_first_rows_in_time_and_asks_people_with_a_history() -> None:
    split = calendar(log(ROWS), 0.6)  # floor(4.2) rows
    assert len(split.fit) == 4
    assert asked(split) == {"a": {"y"}, "b": {"x"}}
    assert (split.n_people_later, split.n_people_new) == (3, 1)
    assert split.share_new == pytest.approx(1 / 3)
    assert split.now_ms == 4


def test_per_person_sees_the_floor_of_each_persons_rows() -> None:
    split = per_person(log(ROWS), 0.8)  # a: 3 of 4, b: 1 of 2, c: 0 of 1
    assert asked(split) == {"a": {"y"}, "b": {"x"}}
    assert len(split.fit) == 4


def test_leave_one_out_asks_for_the_last_row_of_everybody_with_two() -> None:
    assert asked(leave_one_out(log(ROWS))) == {"a": {"y"}, "b": {"x"}}


def test_live_adds_the_first_half_of_the_later_rows_to_the_history_but_not_to_the_fit() -> None:
    rows = [("a", "v", 1), ("a", "w", 2), ("b", "v", 5), ("b", "w", 6), ("b", "x", 7), ("a", "x", 8), ("b", "y", 9)]
    split = live(log(rows), 0.3)  # floor(2.1) rows
    assert len(split.fit) == 2
    assert asked(split) == {"a": {"x"}, "b": {"x", "y"}}
    assert [len(history) for history in split.histories(slice(0, 2))] == [2, 2]
    assert np.diff(split.seen(slice(0, 2)).indptr).tolist() == [2, 2]
    assert split.n_people_new == 1


@pytest.mark.parametrize("protocol", [calendar, per_person])
def test_ties_in_time_go_by_the_order_of_the_input(protocol) -> None:
    rows = [("b", "z", 1), ("a", "z", 1), ("a", "y", 1), ("b", "x", 1), ("a", "w", 1)]
    split = protocol(log(rows), 0.7)  # calendar: the first 3 rows; per person: 2 of 3 of a, 1 of 2 of b
    assert asked(split) == {"a": {"w"}, "b": {"x"}}


def test_an_item_known_already_is_no_right_answer() -> None:
    rows = [("a", "x", 1), ("a", "x", 2), ("a", "x", 3), ("a", "y", 4)]
    assert asked(calendar(log(rows), 0.5)) == {"a": {"y"}}
    assert asked(calendar(log(rows[:3]), 0.5)) == {}


def test_a_repeated_right_answer_counts_once() -> None:
    split = calendar(log([("a", "x", 1), ("a", "y", 2), ("a", "y", 3)]), 0.4)
    assert split.truth.data.tolist() == [1.0]


def test_disliked_later_items_are_right_answers_only_when_every_row_is() -> None:
    data = log([("a", "x", 1), ("a", "y", 2)], [1.0, -1.0])
    assert asked(calendar(data, 0.5)) == {}
    assert asked(calendar(data, 0.5, relevant="every")) == {"a": {"y"}}


def test_an_item_of_the_history_that_was_disliked_is_no_right_answer() -> None:
    data = log([("a", "x", 1), ("a", "x", 2)], [-1.0, 1.0])
    assert asked(calendar(data, 0.5, relevant="every")) == {}


@pytest.mark.parametrize("protocol", [calendar, live, per_person, leave_one_out])
def test_what_comes_again_is_a_right_answer_only_where_it_may_be_answered(protocol) -> None:
    again = log([("a", "v", 1), ("a", "w", 2), ("a", "x", 3), ("a", "v", 4), ("a", "v", 5)])
    assert asked(protocol(again)) == {}
    split = protocol(again, allows_seen=True)
    assert asked(split) == {"a": {"v"}}
    assert split.seen(slice(0, 1)).nnz == 0


def test_rolling_adds_earlier_cuts_until_enough_are_asked() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"u{rng.integers(20)}", f"i{rng.integers(50)}", t) for t in range(400)]
    one = rolling(calendar, log(rows), enough_people=1)
    all_four = rolling(calendar, log(rows), enough_people=10_000)
    assert [len(one), len(all_four)] == [1, 4]
    assert [len(cut.fit) for cut in all_four] == [320, 280, 240, 200]
    np.testing.assert_array_equal(one[0].people, all_four[0].people)


def test_few_people_are_asked_for_their_last_item_then_for_the_one_before() -> None:
    data = log([(user, item, place) for user in "ab" for place, item in enumerate("vwxyz")])
    cuts = rolling_by_person(leave_one_out, data, enough_people=5)
    assert [asked(cut) for cut in cuts] == [{"a": {item}, "b": {item}} for item in "zyx"]
    assert [len(cut.fit) for cut in cuts] == [8, 6, 4], "what comes later is not fitted on"
    assert len(rolling_by_person(per_person, data, enough_people=1)) == 1
    assert len(rolling_by_person(leave_one_out, data)) == 4
    assert rolling_by_person(per_person, log([("a", "x", 0)])) == []


@pytest.mark.parametrize("protocol", [calendar, live, per_person])
@pytest.mark.parametrize("rows", [[], [("a", "x", 1)], [("a", "x", 1), ("b", "y", 1)]])
def test_tiny_logs_ask_nobody_or_somebody_but_never_fail(protocol, rows) -> None:
    data = log(rows) if rows else Interactions.from_events([], [])
    assert len(protocol(data)) <= 1
    assert protocol(data).share_new <= 1


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5])
def test_a_share_outside_of_zero_to_one_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match="share of a split"):
        per_person(log(ROWS), share)


def test_strangers_are_the_people_who_came_last_asked_after_each_of_their_rows() -> None:
    rows = [("b", "v", 1), ("b", "w", 2), ("c", "v", 3), ("a", "x", 4), ("a", "y", 5), ("a", "x", 6), ("a", "z", 7)]
    split = strangers(log(rows), 0.6)  # ceil(1.8) people are seen: b and c
    assert sorted(split.fit.user_index.tolist()) == [1, 1, 2]
    assert [len(history) for history in split.histories(slice(0, 3))] == [1, 3]  # going back to x is not asked for
    assert [split.fit.item_ids[item] for item in split.truth.indices] == ["y", "z"]
    assert len(strangers(log(rows), 0.6, allows_seen=True)) == 3
    assert strangers(log(rows), 0.6, allows_seen=True).seen(slice(0, 3)).nnz == 0
    assert strangers(log(rows), 0.6, at_most=1).truth.indices.tolist() == [split.truth.indices[1]]


def test_rows_without_an_order_are_held_out_at_random_a_tenth_of_each_person() -> None:
    users = [f"u{n // 10}" for n in range(200)]
    data = Interactions.from_events(users, [f"i{n % 10}" for n in range(200)])
    split = held_out(data)
    assert np.diff(split.fit.row_starts).tolist() == [9] * 20
    assert np.diff(split.truth.indptr).tolist() == [1] * 20
    places = np.sort(split.truth.indices)
    assert len(np.unique(places)) > 5  # not always the last ones
    assert (held_out(data).truth != split.truth).nnz == 0
    assert (held_out(data, seed=1).truth != split.truth).nnz > 0


def test_few_people_are_held_out_by_several_draws_until_enough_are_asked() -> None:
    data = log([(f"u{person}", f"i{item}", 0) for person in range(20) for item in range(10)])
    cuts = repeated(data, enough_people=50)
    assert [len(cut) for cut in cuts] == [20, 20, 20]
    assert len({tuple(cut.truth.indices.tolist()) for cut in cuts}) == 3, "each draw holds back other rows"
    assert len(repeated(data, enough_people=1_000)) == 8
    assert repeated(log([("a", "x", 0)])) == []


def test_items_without_a_row_in_the_cut_are_ranked_by_what_they_are_like() -> None:
    ids = ["war1", "war2", "love1", "love2", "new_war", "new_love"]
    pairs = [("a", "war1"), ("a", "new_war"), ("b", "war1"), ("b", "war2"), ("c", "love1"), ("c", "love2")]
    rows = Interactions.from_events(
        [u for u, _ in pairs], [i for _, i in pairs], times_ms=[1, 9, 1, 2, 1, 2], item_ids=ids
    )
    films = ItemContent(ids, attributes={"genre": [["war"], ["war"], ["love"], ["love"], ["war"], ["love"]]})
    cut = calendar(rows, share=0.9)
    model, content = ItemNeighbours(shrinkage=0.0).fit(cut.fit), Content().fit(cut.fit, films)
    histories = cut.histories(slice(0, 1))
    assert not cut.scores(model, histories)[0, 4:].any()
    told = cut.with_content(films)
    assert told.scores(model, histories)[0, 4] > told.scores(model, histories)[0, 5] == 0
    assert (told.scores(content, histories) == content.scores(histories, 0)).all(), "content speaks for itself"
    assert best_items(model, told, 2).tolist() == [[1, 4]]


def test_questions_of_one_stranger_belong_together_also_in_a_sample() -> None:
    log = Interactions.from_events(list("aabbbcccc"), list("xyxyzxyzw"))
    split = strangers(log, share=0.3)
    assert split.groups is not None
    assert np.bincount(split.groups)[1:].tolist() == [2, 3]
    fewer = sampled(split, 3, seed=0)
    assert fewer.groups.tolist() == split.groups[fewer.people].tolist()
    assert per_person(log).groups is None
