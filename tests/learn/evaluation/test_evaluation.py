"""Models side by side on one cut: the figures are those of the parts, and the order means nothing."""

from itertools import pairwise

import numpy as np
import pytest

from bespeak.errors import MissingExtra
from bespeak.learn.evaluation.evaluate import Entrant, Theirs, chosen_people, evaluate
from bespeak.learn.evaluation.groups import activity_groups
from bespeak.learn.evaluation.result import Evaluation
from bespeak.learn.evaluation.sentences import sentences
from bespeak.learn.leaderboard import best_items, fit_and_judge
from bespeak.learn.splits import calendar, held_out, live, newcomers, per_person
from bespeak.models import Interactions
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity

NEIGHBOURS = ItemNeighbours(shrinkage=10.0)
ENTRANTS = [
    Entrant(NEIGHBOURS, "in use"),
    Entrant(Content(), "candidate"),
    Entrant(RecentPopularity(), "baseline"),
    Entrant(Popularity(), "baseline"),
]


def measured(log, content=None, cut=calendar, entrants=ENTRANTS, **options) -> Evaluation:
    split = cut(log)
    return evaluate(entrants, split, newcomers(log, split), content, seed=1, **options)


@pytest.fixture(scope="module")
def found(tasteful_log, tastes) -> Evaluation:
    return measured(tasteful_log, tastes)


def test_rows_stand_by_ndcg_and_the_marks_point_at_them(found):
    figures = [row.figures["ndcg"].mean for row in found.rows]
    assert figures == sorted(figures, reverse=True)
    assert found.rows[found.in_use].model == "item_neighbours"
    assert found.rows[found.baseline].model == "recent_popularity", "the first baseline that was given"
    assert found.rows[found.baseline].difference is None
    assert found.theirs is None
    assert found.against is None


def test_the_figures_are_those_that_training_reports(found, tasteful_log):
    split = calendar(tasteful_log)
    judged = fit_and_judge(NEIGHBOURS, None, split, 10)
    row = found.rows[found.in_use]
    for name in ("ndcg", "recall", "map", "mrr", "hit"):
        assert row.figures[name].mean == pytest.approx(getattr(judged.figures, name).mean())
    assert row.coverage == pytest.approx(judged.coverage)
    assert (found.n_people, found.n_people_of_cut, found.n_answers) == (len(split), len(split), split.truth.nnz)


def test_a_model_with_taste_beats_popular_items_beyond_noise(found):
    difference = found.rows[found.in_use].difference
    assert difference.verdict == "better"
    assert difference.p <= difference.p_holm < 0.05
    assert difference.interval.low > 0


def test_content_alone_keeps_to_a_persons_taste_and_its_lists_are_all_alike(found):
    content = next(row for row in found.rows if row.model == "content")
    popular = found.rows[found.baseline]
    assert content.figures["diversity"].mean < popular.figures["diversity"].mean
    assert content.figures["miscalibration"].mean < popular.figures["miscalibration"].mean
    assert content.coverage > popular.coverage
    assert content.gini < popular.gini
    assert set(content.miscalibration_by_facet) == {"taste"}


def test_the_same_seed_gives_the_same_figures_and_the_order_of_entrants_changes_none(found, tasteful_log, tastes):
    again = measured(tasteful_log, tastes, entrants=[ENTRANTS[1], ENTRANTS[2], ENTRANTS[3], ENTRANTS[0]])
    for row, other in zip(found.rows, again.rows, strict=True):
        assert (row.model, row.figures, row.difference) == (other.model, other.figures, other.difference)


def test_every_interval_holds_its_mean_and_every_figure_its_bounds(found):
    for row in found.rows:
        for name, interval in row.figures.items():
            assert interval.low <= interval.mean <= interval.high, name
            if name not in ("novelty", "miscalibration"):
                assert 0 <= interval.low <= interval.high <= 1, name


def test_a_blend_is_made_of_the_models_that_are_fitted_already(tasteful_log):
    fits = []

    class Counting(ItemNeighbours):
        def fit(self, interactions, items=None):
            fits.append(self.name)
            return super().fit(interactions, items)

    blend = Blend([{"name": "popularity"}, {"name": "item_neighbours", "settings": NEIGHBOURS.settings()}], [0.5, 0.5])
    entrants = [
        Entrant(Counting(shrinkage=10.0), "candidate"),
        Entrant(blend, "in use"),
        Entrant(Popularity(), "baseline"),
    ]
    found = measured(tasteful_log, entrants=entrants)
    split = calendar(tasteful_log)
    assert fits == ["item_neighbours"]
    wanted = fit_and_judge(blend, None, split, 10).figures.ndcg.mean()
    assert found.rows[found.in_use].figures["ndcg"].mean == pytest.approx(wanted)


def test_a_model_whose_package_is_missing_is_left_out_and_named_unless_it_is_in_use(tasteful_log):
    class Deep(ItemNeighbours):
        def fit(self, interactions, items=None):
            raise MissingExtra("deep", "this model")

    found = measured(tasteful_log, entrants=[*ENTRANTS, Entrant(Deep(shrinkage=3.0), "candidate")])
    assert len(found.rows) == len(ENTRANTS)
    assert len(found.left_out) == 1
    assert "bespeak[deep]" in found.left_out[0]
    with pytest.raises(MissingExtra):
        measured(tasteful_log, entrants=[Entrant(Deep(shrinkage=3.0), "in use"), *ENTRANTS[2:]])


def test_the_only_model_is_its_own_baseline(tasteful_log):
    found = measured(tasteful_log, entrants=[Entrant(Popularity(), "in use")])
    assert found.in_use == found.baseline == 0
    assert found.rows[0].difference is None


# -- somebody else's ---------------------------------------------------------------------------------------------------


def test_our_own_lists_given_as_theirs_differ_in_nothing(tasteful_log, tastes):
    split = calendar(tasteful_log)
    ours = best_items(NEIGHBOURS.fit(split.fit), split, 10)
    found = measured(tasteful_log, tastes, theirs=Theirs("recs", ours))
    assert found.rows[found.theirs].figures == found.rows[found.in_use].figures
    assert found.rows[found.theirs].settings == {}
    for difference in found.against.values():
        assert (difference.interval.mean, difference.p, difference.verdict) == (0, 1, "no difference beyond noise")


def test_better_lists_of_theirs_are_found_better(tasteful_log):
    """An oracle: the right answers themselves."""
    split = calendar(tasteful_log)
    index = np.full((len(split), 10), -1, np.int32)
    for person in range(len(split)):
        right = split.truth.indices[split.truth.indptr[person] : split.truth.indptr[person + 1]][:10]
        index[person, : len(right)] = right
    found = measured(tasteful_log, theirs=Theirs("recs", index))
    assert found.theirs == 0
    assert found.rows[0].figures["ndcg"].mean == pytest.approx(1)
    assert found.against["ndcg"].verdict == "worse"
    said = " ".join(sentences(found))
    assert "recs: NDCG@10 1.000" in said
    assert "worse" in said


# -- parts -------------------------------------------------------------------------------------------------------------


def test_activity_groups_hold_everybody_once_and_add_up(found):
    groups = found.activity
    assert sum(group.n_people for group in groups) == found.n_people
    assert all(a.most < b.fewest for a, b in pairwise(groups))
    for place, row in enumerate(found.rows):
        total = sum(group.n_people * group.ndcg[place].mean for group in groups)
        assert total / found.n_people == pytest.approx(row.figures["ndcg"].mean)


def test_people_with_equal_histories_are_one_group():
    (group,) = activity_groups(np.ones((5, 2)), np.full(5, 3), seed=0)
    assert (group.fewest, group.most, group.n_people) == (3, 3, 5)
    assert activity_groups(np.ones((0, 2)), np.zeros(0, np.int64), seed=0) == ()


def log_with_a_newcomer() -> Interactions:
    """Ten people with x, y, z in turn; then somebody unknown comes and takes x and w, which nobody had."""
    rows = [(f"u{n}", item) for n in range(10) for item in ("x", "y", "z")[: 1 + n % 3]]
    rows += [("u0", "y"), ("new", "x"), ("new", "w")]
    users, items = zip(*rows, strict=True)
    return Interactions.from_events(users, items, times_ms=np.arange(len(rows)) * 1000)


def test_newcomers_are_those_without_any_row_when_they_are_asked():
    log = log_with_a_newcomer()
    split = calendar(log, share=0.88)
    cold = newcomers(log, split)
    assert [log.user_ids[person] for person in cold.people] == ["new"]
    assert [log.item_ids[item] for item in cold.truth.indices] == ["w", "x"]
    assert not set(cold.people.tolist()) & set(split.people.tolist())


def test_a_model_that_knows_no_order_for_somebody_unknown_gets_nothing_for_ties():
    log = log_with_a_newcomer()
    split = calendar(log, share=0.88)
    found = evaluate(ENTRANTS, split, newcomers(log, split), seed=1)
    cold = dict(
        zip([row.model for row in found.rows], [interval.mean for interval in found.newcomers.ndcg], strict=True)
    )
    assert found.newcomers.n_people == 1
    assert cold["item_neighbours"] == cold["content"] == 0
    assert cold["popularity"] > 0
    assert any("nothing was known" in sentence for sentence in sentences(found))


def test_a_dislike_is_no_right_answer_of_a_newcomer():
    log = Interactions.from_events(["a", "a", "b"], ["x", "y", "x"], [1, 1, -1], times_ms=[1, 2, 3])
    split = calendar(log, share=0.67)
    assert len(newcomers(log, split)) == 0
    assert len(newcomers(log, split, "every")) == 1


def test_right_answers_are_parted_by_how_well_known_the_item_was():
    log = log_with_a_newcomer()
    split = per_person(log, share=0.67)
    found = evaluate(ENTRANTS, split, newcomers(log, split), k=1, seed=1)
    groups = {group.kind: group for group in found.items}
    assert sum(group.n_answers for group in groups.values()) == found.n_answers
    assert sum(group.n_items for group in groups.values()) <= found.n_items
    popular = next(place for place, row in enumerate(found.rows) if row.model == "popularity")
    assert groups["new"].recall[popular].mean == 0
    assert groups["tail"].recall[popular].mean > 0
    shares = [sum(group.share[place] for group in groups.values()) for place in range(len(found.rows))]
    assert all(share <= 1 + 1e-12 for share in shares)


def test_asking_some_people_only_keeps_their_answers(tasteful_log):
    split = calendar(tasteful_log)
    keep = np.arange(len(split)) % 3 == 0
    some = chosen_people(split, keep)
    assert some.people.tolist() == split.people[keep].tolist()
    assert (some.truth.toarray() == split.truth.toarray()[keep]).all()


# -- sentences ---------------------------------------------------------------------------------------------------------


def test_a_cut_that_leaks_the_future_says_so_and_one_by_date_does_not(tasteful_log, found):
    leaking = " ".join(sentences(measured(tasteful_log, cut=held_out)))
    assert "later events" in leaking
    assert "the calendar does" in leaking
    assert "the calendar does" not in " ".join(sentences(found))
    assert "told by an experiment" in " ".join(sentences(found))


def test_settings_that_were_chosen_later_than_the_cut_are_owned_up_to(found):
    assert not any("later than this cut" in sentence for sentence in sentences(found, found.now_ms))
    late = sentences(found, found.now_ms + 1)
    assert any("later than this cut" in sentence for sentence in late)


def test_few_people_are_called_few(tasteful_log):
    split = live(tasteful_log)
    few = chosen_people(split, np.arange(len(split)) < 5)
    found = evaluate(ENTRANTS, few, newcomers(tasteful_log, split), seed=1, n_people_of_cut=len(split))
    said = " ".join(sentences(found))
    assert "5 people are few" in said
    assert f"5 people of {len(split):,} asked" in said
