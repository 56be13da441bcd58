"""The simulator's truth is true: what it computes is what happens in the long run, under every policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bespeak.simulate import WORLDS, Behaviour, Slates, StreamingWorld, play
from bespeak.simulate.crowd.choice import logistic
from bespeak.simulate.crowd.people import RESPONSES, Response
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.doing.mailing import MailAtRandom, MailPersuadables, mail_everybody, mail_nobody
from bespeak.simulate.draws import Draws, Purpose
from bespeak.simulate.truth import METRICS, outcomes_of, truth_of
from bespeak.simulate.world import World

END_MS = 1_750_000_000_000


def make(name: str = "shop", *, seed: int = 21, n_people: int = 1_500, days: int = 40, **planted: object) -> World:
    return WORLDS[name](seed, n_people, 96, days, end_ms=END_MS, behaviour=Behaviour(**planted))


@pytest.fixture(scope="module", params=sorted(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    return make(request.param)


def z_of(hits: float, probabilities: np.ndarray) -> float:
    """How many standard deviations a count of independent events is off its exact mean."""
    return float((hits - probabilities.sum()) / np.sqrt((probabilities * (1 - probabilities)).sum()))


def clicks_on(day, n_positions):
    """Which position of which slate was clicked on a day, bool[n_usual, n_positions]."""
    found = np.zeros((day.n_usual, n_positions), dtype=bool)
    chosen = day.acts.kind == Act.CLICKED
    found[day.acts.visit[chosen], day.acts.position[chosen] - 1] = True
    return found


# -- random numbers ----------------------------------------------------------------------------------------------------
def test_draws_are_uniform_normal_and_unrelated_across_neighbouring_keys():
    draws = Draws(5)
    uniform = draws.uniform(Purpose.CLICK, np.arange(400)[:, None], np.arange(500))
    counts = np.histogram(uniform, bins=100, range=(0, 1))[0]
    assert ((counts - 2_000) ** 2 / 2_000).sum() < 150  # chi-square, 99 degrees: mean 99, deviation 14
    for other in (
        draws.uniform(Purpose.CLICK, np.arange(1, 401)[:, None], np.arange(500)),
        draws.uniform(Purpose.CLICK, np.arange(400)[:, None], np.arange(1, 501)),
        draws.uniform(Purpose.SHELF_CLICK, np.arange(400)[:, None], np.arange(500)),
        Draws(6).uniform(Purpose.CLICK, np.arange(400)[:, None], np.arange(500)),
    ):
        assert abs(np.corrcoef(uniform.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(uniform.size)
    normal = draws.normal(Purpose.TASTE, np.arange(200_000))
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    assert abs((normal**4).mean() - 3) < 0.1


def test_a_draw_does_not_depend_on_what_is_drawn_beside_it():
    draws = Draws(5)
    assert draws.uniform(Purpose.VISIT, 7, 3)[0] == draws.uniform(Purpose.VISIT, np.arange(10), 3)[7]


# -- truth is the long-run mean ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("policy", ["random", "popular", "oracle"])
def test_clicks_follow_their_exact_probabilities_at_every_position(world, policy):
    hits, chances = np.zeros(8), [[] for _ in range(8)]
    for day in play(world, getattr(world, policy)):
        usual = day.visits.only(np.arange(day.n_usual))
        probability = world.appeal.click_probability(usual, day.slates.items)
        assert probability.sum(axis=1) == pytest.approx(day.expected_clicks)
        hits += clicks_on(day, 8).sum(axis=0)
        for position in range(8):
            chances[position].append(probability[:, position])
    z = [z_of(hits[position], np.concatenate(chances[position])) for position in range(8)]
    assert np.abs(z).max() < 4


def test_visits_follow_their_exact_chance():
    world = make(leave_hazard=0.0, loyalty=0.0, join_share=0.0)
    chance = [
        world.calendar.visit_chance(day, np.ones(1_500), np.full(1_500, 99)) for day in range(1, world.n_days - 1)
    ]
    days = list(play(world, world.popular, mail_nobody))[1:-1]  # the first and the last are not whole
    assert abs(z_of(sum(day.n_usual for day in days), np.concatenate(chance))) < 4
    by_weekday = np.zeros(7)
    for day, probabilities in zip(days, chance, strict=True):
        by_weekday[world.calendar.weekday(day.number)] += day.n_usual / probabilities.sum()
    assert by_weekday / (len(days) / 7) == pytest.approx(np.ones(7), abs=0.25)


def test_experiments_estimate_the_truth_without_bias(world):
    truth = truth_of(world, {"popular": world.popular, "oracle": world.oracle}, "popular")
    control, treated = truth.outcomes["popular"], truth.outcomes["oracle"]
    metric = "clicks"
    exact = truth.difference("oracle", metric)
    rng = np.random.default_rng(1)
    estimates = []
    for _ in range(400):  # who is treated is the only thing that is random here
        arm = rng.random(1_500) < 0.5
        estimates.append(treated.values[metric][arm].mean() - control.values[metric][~arm].mean())
    assert abs(np.mean(estimates) - exact) < 4 * np.std(estimates) / np.sqrt(400)
    assert exact > 10 * np.std(estimates)
    assert truth.lift("oracle", metric) == pytest.approx(treated.mean(metric) / control.mean(metric) - 1)


def test_an_experiment_gives_everybody_the_outcome_of_their_arm(world):
    # Nobody's outcome depends on anybody else's arm: the played experiment is made of the two potential outcomes.
    experiment = world.experiment(world.oracle)
    played = outcomes_of(world, experiment)
    control, treated = outcomes_of(world, world.popular), outcomes_of(world, world.oracle)
    arm = experiment.arm(np.arange(1_500)) == 1
    assert 600 < arm.sum() < 900
    for metric in METRICS:
        both = np.where(arm, treated.values[metric], control.values[metric])
        assert np.array_equal(played.values[metric], both), metric


# -- common random numbers ---------------------------------------------------------------------------------------------
def test_the_same_policy_twice_is_the_same_life(world):
    once, again = (outcomes_of(world, world.random) for _ in range(2))
    assert all(np.array_equal(once.values[metric], again.values[metric]) for metric in METRICS)


def test_another_policy_for_one_person_leaves_everybody_else_alone(world):
    class OracleFor:
        def __init__(self, person):
            self.person = person

        def __call__(self, visits, candidates, size):
            usual = world.popular(visits, candidates, size)
            best = world.oracle(visits, candidates, size)
            is_meant = (visits.person == self.person)[:, None]
            return Slates(np.where(is_meant, best.items, usual.items), usual.propensity)

    everybody = outcomes_of(world, world.popular)
    person = int(np.argmax(everybody.values["visits"]))
    changed = outcomes_of(world, OracleFor(person))
    for metric in METRICS:
        differs = np.flatnonzero(everybody.values[metric] != changed.values[metric])
        assert set(differs.tolist()) <= {person}, metric
    assert changed.values["clicks"][person] != everybody.values["clicks"][person]


def test_an_item_that_moves_up_can_only_gain_clicks(world):
    visits = next(day for day in play(world, world.popular) if day.n_usual > 20).visits
    slate = world.popular(visits, np.arange(96), 6).items
    moved = np.roll(slate, 1, axis=1)  # the last comes first, all others lose a place
    luck = world.draws.uniform(Purpose.CLICK, visits.person[:, None], visits.day, slate)
    before = luck < world.appeal.click_probability(visits, slate)
    after = np.roll(np.roll(luck, 1, axis=1) < world.appeal.click_probability(visits, moved), -1, axis=1)
    assert not (after[:, :-1] & ~before[:, :-1]).any()
    assert not (before[:, -1] & ~after[:, -1]).any()


# -- planted values are found again ------------------------------------------------------------------------------------
def test_the_position_curve_comes_back_from_randomised_exposures():
    world = make(n_people=6_000, days=60, position_exponent=1.1)
    shown, clicked = 0, np.zeros(8)
    for day in play(world, world.random):
        shown += day.n_usual
        clicked += clicks_on(day, 8).sum(axis=0)
    rate = clicked / shown
    error = np.sqrt(rate * (1 - rate) / shown)
    level = (rate * world.position_curve / error**2).sum() / (world.position_curve**2 / error**2).sum()
    # the curve is relative: its level is the mean appeal
    assert (np.abs(rate - level * world.position_curve) / error).max() < 4
    assert world.position_curve[7] == pytest.approx(8**-1.1)
    exponent = -np.polyfit(np.log(np.arange(1, 9)), np.log(rate), 1, w=rate / error)[0]
    assert exponent == pytest.approx(1.1, abs=0.06)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_the_weights_come_back_from_clicks_and_features(name):
    world = make(
        name, n_people=4_000, days=60, position_exponent=0.0
    )  # everything is looked at: a plain logistic model
    rows, labels = [], []
    for day in play(world, world.random):
        usual = day.visits.only(np.arange(day.n_usual))
        features = world.appeal.features(usual, day.slates.items)
        rows.append(np.stack([features[n].ravel() for n in world.weights.by_feature()], axis=1))
        labels.append(clicks_on(day, 8).ravel())
    names = [n for n, weight in world.weights.by_feature().items() if weight]
    used = [list(world.weights.by_feature()).index(n) for n in names]
    x = np.concatenate(rows)[:, used].astype(np.float64)
    x, y = np.column_stack([np.ones(len(x)), x]), np.concatenate(labels)
    weights = np.zeros(x.shape[1])
    for _ in range(12):  # Newton's method
        p = logistic(x @ weights)
        information = x.T @ (x * (p * (1 - p))[:, None])
        weights += np.linalg.solve(information, x.T @ (y - p))
    planted = [world.weights.base, *(world.weights.by_feature()[n] for n in names)]
    z = (weights - planted) / np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.abs(z).max() < 4
    assert weights[1] == pytest.approx(1.1, abs=0.05)


def test_propensities_of_the_random_policy_are_what_happens():
    world = make(n_people=3_000, days=30)
    counts, n = np.zeros((3, 96)), 0
    for day in play(world, world.random):
        if len(day.candidates) != len(world.stock.on_offer(world.start_ms)):
            break  # a launch changes the probabilities
        n += day.n_usual
        for position in range(3):
            counts[position] += np.bincount(day.slates.items[:, position], minlength=96)
        assert (np.sort(day.slates.items, axis=1)[:, 1:] != np.sort(day.slates.items, axis=1)[:, :-1]).all()
        expected = 1 / (len(day.candidates) - np.arange(8))
        assert day.slates.propensity == pytest.approx(np.broadcast_to(expected, day.slates.propensity.shape))
    offered = counts.sum(axis=0) > 0
    mean = n / offered.sum()
    chi = ((counts[:, offered] - mean) ** 2 / mean).sum(axis=1)
    assert n > 500
    assert (chi < offered.sum() + 4 * np.sqrt(2 * offered.sum())).all()


def test_tastes_turn_on_the_day_of_the_drift_and_not_before():
    still, turning = make(days=30), make(days=30, drift_day=18)
    stale = still.oracle  # knows the tastes as they were

    class BeforeTheDrift:
        def __call__(self, visits, candidates, size):
            return stale(replace(visits, day=0), candidates, size)

    def expected_by_day(world, policy):
        return np.array([day.expected_clicks.mean() for day in play(world, policy)])

    as_it_was, after = expected_by_day(still, BeforeTheDrift()), expected_by_day(turning, BeforeTheDrift())
    assert np.array_equal(as_it_was[:18], after[:18])
    assert (after[18:-1] < 0.8 * as_it_was[18:-1]).all()
    assert outcomes_of(turning, turning.oracle).mean("clicks") > 1.2 * outcomes_of(turning, BeforeTheDrift()).mean(
        "clicks"
    )


def test_half_a_drift_turns_tastes_half():
    world = make(drift_day=5, drift_share=0.6)
    before, after = world.people_truth.tastes["category"], world.people_truth.later_tastes["category"]
    each = [np.corrcoef(one, other)[0, 1] for one, other in zip(before, after, strict=True)]
    assert np.mean(each) == pytest.approx(0.8, abs=0.03)  # sqrt(1 - 0.6^2)
    assert np.array_equal(world.people_truth.tastes["brand"], world.people_truth.later_tastes["brand"])


# -- what a newsletter does --------------------------------------------------------------------------------------------
def test_a_newsletter_moves_those_it_moves_and_nobody_else():
    world = make(n_people=6_000, days=40, mail_effect=0.9, loyalty=0.0)
    nobody, everybody = (outcomes_of(world, world.popular, mailing) for mailing in (mail_nobody, mail_everybody))
    gain = everybody.values["visits"] - nobody.values["visits"]
    mailed = everybody.values["mails"] > 0
    by_response = {one: gain[mailed & (world.people_truth.response == RESPONSES.index(one))] for one in Response}
    assert by_response[Response.PERSUADABLE].mean() > 0.3
    assert by_response[Response.SLEEPING_DOG].mean() < -0.1
    assert not gain[~mailed].any()
    assert abs(by_response[Response.NONE].mean()) < 0.02
    best = outcomes_of(world, world.popular, MailPersuadables(world.people_truth))
    assert best.mean("visits") > everybody.mean("visits") > nobody.mean("visits")


def test_mail_at_random_is_an_experiment_on_the_newsletter():
    world = make(n_people=3_000, days=25)
    mailing = MailAtRandom(world.draws)
    chosen = mailing(np.arange(3_000), 3)
    assert 0.45 < chosen.mean() < 0.55
    got = outcomes_of(world, world.popular, mailing).values["mails"] > 0
    assert got.sum() > 200
    assert not got[~chosen].any()
    assert np.array_equal(chosen, mailing(np.arange(3_000), 10))


# -- other laws --------------------------------------------------------------------------------------------------------
def test_good_slates_bring_people_back_and_keep_them(world):
    truth = truth_of(world, {"popular": world.popular, "oracle": world.oracle}, "popular")
    assert truth.difference("oracle", "visits") > 0
    assert truth.difference("oracle", "left") < 0
    flat = make(world.name, loyalty=0.0, leave_hazard=0.0, mail_effect=0.0)
    same = truth_of(flat, {"popular": flat.popular, "oracle": flat.oracle}, "popular")
    assert same.difference("oracle", "visits") == same.difference("oracle", "left") == 0


def test_abandoned_carts_become_late_orders_as_planted():
    never, always = make(delayed_share=0.0), make(delayed_share=1.0, delay_days=1.0)

    def late_orders(world):
        n = 0
        for day in play(world, world.popular):
            n += int((day.acts.visit[day.acts.kind == Act.ORDERED] >= day.n_usual).sum())
        return n

    assert late_orders(never) == 0
    assert late_orders(always) > 100


def test_the_protected_group_gains_less_only_where_that_is_planted():
    def gap(world):
        truth = truth_of(world, {"popular": world.popular, "oracle": world.oracle}, "popular")
        control, treated = (truth.outcomes[name].values for name in ("popular", "oracle"))
        gain = treated["expected_clicks"] / np.maximum(treated["visits"], 1)
        gain = gain - control["expected_clicks"] / np.maximum(control["visits"], 1)
        came = (treated["visits"] > 0) & (control["visits"] > 0)
        group = world.people_truth.is_in_group
        one, other = gain[came & group], gain[came & ~group]
        return (one.mean() - other.mean()) / np.sqrt(one.var() / len(one) + other.var() / len(other))

    assert abs(gap(make(n_people=3_000))) < 3
    assert gap(make(n_people=3_000, group_gap=0.8)) < -10


def test_the_group_lives_in_some_places_more_than_in_others():
    people = make(n_people=8_000).people_truth
    in_britain = people.utc_offset_hours == 0
    assert people.is_in_group.mean() == pytest.approx(0.2, abs=0.02)
    assert people.is_in_group[in_britain].mean() > 2 * people.is_in_group[~in_britain].mean()


def test_demographics_lean_as_the_kinds_declare():
    world = make(n_people=4_000)
    keys = [kind.key for kind in world.stock.kinds]
    people = world.people_truth
    taste = people.tastes["category"]
    beauty, garden = taste[:, keys.index("beauty")], taste[:, keys.index("garden")]
    assert beauty[people.gender == 0].mean() - beauty[people.gender == 1].mean() > 0.3
    assert garden[people.age >= 55].mean() - garden[people.age < 35].mean() > 0.3


def test_people_watch_what_they_like_to_the_end():
    world = make("streaming")
    assert isinstance(world, StreamingWorld)
    utility, fraction = [], []
    for day in play(world, world.random):
        acts = day.acts
        ends = np.isin(acts.kind, (Act.STOPPED, Act.COMPLETED)) & (acts.visit < day.n_usual)
        started = np.isin(acts.kind, (Act.STARTED,))
        assert started.sum() <= 2 * day.n_usual
        visits = day.visits.only(acts.visit[ends])
        utility.append(world.appeal.utility(visits, acts.item[ends][:, None])[:, 0])
        fraction.append(acts.value[ends] / world.stock.minutes[acts.item[ends]])
    utility, fraction = np.concatenate(utility), np.concatenate(fraction)
    assert ((fraction >= 0) & (fraction <= 1)).all()
    assert np.corrcoef(utility, fraction)[0, 1] > 0.3


def test_context_moves_appeal_as_planted():
    world = make()
    items = np.arange(96)[None, :]
    noon, night = (world.appeal.utility(world.visit_of(3, hour=hour), items)[0] for hour in (12.0, 21.0))
    leans = np.array([kind.evening for kind in world.stock.kinds])[world.stock.kind]
    assert night - noon == pytest.approx(0.4 * leans, abs=1e-5)
    small = world.appeal.utility(world.visit_of(3, is_mobile=True), items)[0]
    assert small - noon == pytest.approx(-0.25 * world.stock.price_level, abs=1e-5)
