"""Biased factorization: equal to a literal solver, sure where it may be, and whole for whoever is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput, StoreError
from bespeak.models.artefact import load_as, save
from bespeak.models.interactions import ItemContent
from bespeak.models.ratings.base import Ratings, RatingScale
from bespeak.models.ratings.biased_factorization import BiasedFactorization
from bespeak.models.ratings.item_mean import ItemMean

SCALE = RatingScale(1, 5)
THREE = Ratings.of(
    ["ann", "bob", "cid"], ["x", "y", "z"], [0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 1, 2], [5, 3, 4, 1, 2, 2], scale=SCALE
)


def tastes(n_users=120, n_items=40, share=0.5, seed=3):
    """Two kinds of films, people who like one and not the other; the kind stands in the attributes."""
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    likes = np.where(user % 2 == item % 2, 1.2, -1.2) + 0.4 * (item % 3 - 1)
    values = np.clip(np.round(3 + likes + rng.normal(0, 0.4, len(user))), 1, 5)
    names = [f"u{n}" for n in range(n_users)], [f"i{n}" for n in range(n_items)]
    return Ratings.of(*names, user, item, values, np.arange(len(user)), scale=SCALE)


def kinds(ratings, extra=()):
    ids = [*ratings.item_ids, *extra]
    return ItemContent(ids, attributes={"third": [[str(int(name[1:]) % 3)] for name in ids]})


def literal(ratings, factors, rounds, seed):
    """The formulas of the page as they are printed, one person and one item at a time; no attributes."""
    n_users, n_items, width = len(ratings.user_ids), len(ratings.item_ids), 1 + factors
    centre, unit = ratings.values.mean(), ratings.values.std()
    told = [
        (u, i, (v - centre) / unit)
        for u, i, v in zip(ratings.user_index, ratings.item_index, ratings.values, strict=True)
    ]
    y = np.zeros((n_items, width))
    y[:, 1:] = np.random.default_rng(seed).normal(0, 0.1, (n_items, factors))
    y_cov = np.zeros((n_items, width, width))
    m, s, t = np.zeros(width), np.r_[0.2, np.ones(factors)], np.r_[0.2, np.full(factors, 0.02)]
    common, noise = np.zeros(width), 0.8

    def solve(rows, other, other_cov, mean, variance):
        precision, pull = np.diag(1 / variance), mean / variance
        for place, value in rows:
            z, spread = np.r_[1.0, other[place][1:]], other_cov[place].copy()
            with_bias = np.r_[0.0, spread[1:, 0]]
            spread[0, :] = spread[:, 0] = 0
            precision = precision + (np.outer(z, z) + spread) / noise
            pull = pull + (z * (value - other[place][0]) - with_bias) / noise
        covariance = np.linalg.inv(precision)
        return covariance @ pull, covariance

    for _ in range(rounds):
        people = [solve([(i, v) for u, i, v in told if u == p], y, y_cov, m, s) for p in range(n_users)]
        x, x_cov = np.array([p[0] for p in people]), np.array([p[1] for p in people])
        m, s = x.mean(axis=0), x.var(axis=0) + np.array([np.diag(c) for c in x_cov]).mean(axis=0)
        items = [solve([(u, v) for u, i, v in told if i == q], x, x_cov, common, t) for q in range(n_items)]
        y, y_cov = np.array([q[0] for q in items]), np.array([q[1] for q in items])
        error = 0.0
        for u, i, v in told:
            a, b, spread_a, spread_b = x[u], y[i], x_cov[u], y_cov[i]
            error += (v - a[0] - b[0] - a[1:] @ b[1:]) ** 2
            over_b, over_a = np.r_[1.0, a[1:]], np.r_[1.0, b[1:]]
            error += over_b @ spread_b @ over_b + over_a @ spread_a @ over_a
            error += np.trace(spread_a[1:, 1:] @ spread_b[1:, 1:])
        noise = error / len(told)
        common = y.mean(axis=0)
        t = y.var(axis=0) + np.array([np.diag(c) for c in y_cov]).mean(axis=0)
    x = np.array([solve([(i, v) for u, i, v in told if u == p], y, y_cov, m, s)[0] for p in range(n_users)])
    return np.clip(centre + unit * (x[:, :1] + y[:, 0] + x[:, 1:] @ y[:, 1:].T), 1, 5)


@pytest.mark.parametrize("factors", [0, 2])
def test_it_equals_the_printed_formulas_on_three_people_and_three_items(factors):
    model = BiasedFactorization(factors=factors, rounds=3, seed=5).fit(THREE)
    user, item = np.divmod(np.arange(9), 3)
    found = model.predict(THREE, user, item).values.reshape(3, 3)
    assert found == pytest.approx(literal(THREE, factors, 3, 5), abs=1e-5)


def test_one_round_of_biases_is_what_a_hand_finds():
    # Two ratings by one person: mean 3, unit 2, so +1 and -1. People first, with all item biases 0 and variance .2 of
    # the prior, noise .8: precision 1/.2 + 2/.8 = 7.5, pull 0, so the bias is 0 with variance 1/7.5. Then each item:
    # precision 5 + 1/.8 = 6.25, pull +-1/.8, so +-.2. Asked again, the person's bias stays 0: 3 +- 2 * .2.
    told = Ratings.of(["a"], ["x", "y"], [0, 0], [0, 1], [5, 1], scale=SCALE)
    found = BiasedFactorization(factors=0, rounds=1).fit(told).predict(told, [0, 0], [0, 1])
    assert found.values == pytest.approx([3.4, 2.6], abs=1e-6)


def test_it_finds_tastes_that_means_and_biases_cannot():
    told = tastes()
    is_asked = np.arange(len(told)) % 5 == 0
    known, asked = told.select(~is_asked), told.select(is_asked)

    def error(model):
        found = model.fit(known).predict(known, asked.user_index, asked.item_index)
        return float(np.sqrt(np.mean((found.values - asked.values) ** 2)))

    assert error(BiasedFactorization(factors=4)) < 0.7 * error(BiasedFactorization(factors=0))
    assert error(BiasedFactorization(factors=4)) < 0.7 * error(ItemMean())


def test_vectors_that_are_too_long_do_little_harm():
    told = tastes(n_users=60, n_items=30, share=0.4)
    is_asked = np.arange(len(told)) % 5 == 0
    known, asked = told.select(~is_asked), told.select(is_asked)
    errors = []
    for factors in (2, 24):
        found = BiasedFactorization(factors=factors).fit(known).predict(known, asked.user_index, asked.item_index)
        errors.append(float(np.sqrt(np.mean((found.values - asked.values) ** 2))))
    assert errors[1] < 1.1 * errors[0]


def test_the_spread_holds_what_people_give():
    told = tastes()
    is_asked = np.arange(len(told)) % 5 == 0
    known, asked = told.select(~is_asked), told.select(is_asked)
    found = BiasedFactorization(factors=4).fit(known).predict(known, asked.user_index, asked.item_index)
    inside = np.abs(found.values - asked.values) <= 1.2816 * found.spreads
    assert 0.7 < inside.mean() < 0.92


def test_who_told_little_is_foretold_with_a_wider_spread():
    told = tastes()
    model = BiasedFactorization(factors=4).fit(told)
    nobody = told.select(np.zeros(len(told), bool))
    assert (model.predict(nobody, [0] * 5, range(5)).spreads > model.predict(told, [0] * 5, range(5)).spreads).all()


def test_somebody_unknown_gets_what_the_item_gets_on_average():
    told = tastes()
    nobody = told.select(np.zeros(len(told), bool))
    items = np.arange(40)
    found = BiasedFactorization(factors=4).fit(told).predict(nobody, np.zeros(40, int), items).values
    assert found == pytest.approx(ItemMean().fit(told).predict(nobody, np.zeros(40, int), items).values, abs=0.3)


def test_an_unknown_item_gets_what_items_get_and_a_new_one_what_its_attributes_foretell():
    told = tastes()
    model = BiasedFactorization(factors=4).fit(told, kinds(told))
    nobody = told.select(np.zeros(len(told), bool))
    new = model.extended(kinds(told, extra=["i100", "i101", "i102"]))
    known = model.predict(nobody, [0], [-1]).values[0]
    assert known == pytest.approx(told.values.mean(), abs=0.15)
    one, two, nought = new.predict(nobody, [0, 0, 0], [40, 41, 42]).values  # 100 % 3 is 1, 101 % 3 is 2, 102 % 3 is 0
    assert nought < one - 0.2 < one < two - 0.2
    assert new.predict(nobody, [0], [-1]).values[0] == pytest.approx(known, abs=1e-6)
    assert new.predict(told, [0], [3]).values == pytest.approx(model.predict(told, [0], [3]).values)


def test_an_item_nobody_rated_gets_what_its_attributes_foretell():
    told = tastes()
    without = told.select(told.item_index != 2)
    found = BiasedFactorization(factors=0).fit(without, kinds(told)).predict(without, [0, 0], [2, 0])
    assert found.values[0] > found.values[1] + 0.2


def test_two_fits_are_equal_bit_for_bit_and_so_is_a_stored_one(tmp_path):
    told = tastes()
    one, two = (BiasedFactorization(factors=3).fit(told, kinds(told)) for _ in range(2))
    assert all(np.array_equal(one.arrays()[name], two.arrays()[name]) for name in one.arrays())
    save(one, tmp_path / "ratings")
    loaded = load_as(tmp_path / "ratings", BiasedFactorization)
    assert np.array_equal(loaded.predict(told, [1, 2], [3, -1]).values, one.predict(told, [1, 2], [3, -1]).values)
    assert list(loaded.item_ids) == list(one.item_ids)
    with pytest.raises(StoreError, match="item_mean"):
        load_as(tmp_path / "ratings", ItemMean)


def test_blocks_change_nothing_but_the_last_digits(monkeypatch):
    told = tastes()
    whole = BiasedFactorization(factors=3).fit(told)
    user, item = told.user_index[:50], told.item_index[:50]
    before = whole.predict(told, user, item)
    monkeypatch.setattr("bespeak.models.ratings.bilinear.BLOCK_BYTES", 20_000)
    after = BiasedFactorization(factors=3).fit(told).predict(told, user, item)
    assert after.values == pytest.approx(before.values, abs=1e-4)
    assert after.spreads == pytest.approx(before.spreads, abs=1e-4)


def test_equal_ratings_are_foretold_as_they_are():
    told = Ratings.of(["a", "b"], ["x", "y"], [0, 0, 1], [0, 1, 0], [4, 4, 4], scale=SCALE)
    assert BiasedFactorization(factors=2).fit(told).predict(told, [1, 0], [1, -1]).values.tolist() == [4.0, 4.0]


def test_values_stay_on_the_scale():
    told = Ratings.of(["a"], ["x", "y"], [0, 0], [0, 1], [0.5, 5], scale=RatingScale(0.5, 5))
    values = BiasedFactorization(factors=2).fit(tastes()).predict(tastes(), range(40), range(40)).values
    assert 1 <= values.min() < values.max() <= 5
    assert BiasedFactorization().fit(told).scale == RatingScale(0.5, 5)


def test_nothing_to_fit_on_and_wrong_settings_are_refused():
    with pytest.raises(InvalidInput, match="no rating"):
        BiasedFactorization().fit(THREE.select(np.zeros(6, bool)))
    with pytest.raises(InvalidInput, match="factors"):
        BiasedFactorization(factors=-1).fit(THREE)
    with pytest.raises(InvalidInput, match="not fitted"):
        BiasedFactorization().predict(THREE, [0], [0])
