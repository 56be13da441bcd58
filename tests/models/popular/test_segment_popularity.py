import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import nbinom

from bespeak.models import Blend, History, Interactions, PersonTraits, Popularity, RecentPopularity, SegmentPopularity
from bespeak.models.artefact import load, save
from bespeak.models.popular.recent_popularity import DAY_MS
from bespeak.models.popular.segment_popularity import _STRENGTHS, likeliest_prior


def three_by_three() -> Interactions:
    """ann and bob are of DE, cleo of FR."""
    log = Interactions.from_events(["ann", "ann", "bob", "cleo"], ["x", "y", "x", "z"])
    return log.with_traits(PersonTraits(["ann", "bob", "cleo"], {"country": [["DE"], ["DE"], ["FR"]]}))


def crowd(n: int = 30, *, traits: bool = True) -> Interactions:
    """Everybody likes `both`, the people of DE `dirndl` too, those of FR `beret`, and one of each `rare`."""
    users, items = [], []
    for person in range(2 * n):
        users += [f"{person:02}"] * 2
        items += ["both", "dirndl" if person < n else "beret"]
    log = Interactions.from_events([*users, "00", "59"], [*items, "rare", "rare"])
    country = [["DE"]] * n + [["FR"]] * n
    return log.with_traits(PersonTraits(log.user_ids, {"country": country})) if traits else log


def test_lifts_are_those_computed_by_hand() -> None:
    model = SegmentPopularity(min_people=1).fit(three_by_three())
    scores = model.scores([History.empty({"country": ["DE"]}), History.empty({"country": ["FR"]})], 0)
    # Of 4 likes 3 are of DE, so of the 2 likes of x 1.5 are expected, 2 seen; the likeliest prior strength is a = 1000.
    a = 1000.0
    assert scores[0] == pytest.approx([2 * (2 + a) / (1.5 + a), (1 + a) / (0.75 + a), 1.0], rel=1e-6)
    assert scores[1] == pytest.approx([2.0, 1.0, (1 + a) / (0.25 + a)], rel=1e-6)


def test_the_prior_is_the_likeliest_of_the_negative_binomial() -> None:
    rng = np.random.default_rng(5)
    likes_of, share = rng.integers(5, 400, 60).astype(float), np.array([0.5, 0.3, 0.2])
    expected = share[:, None] * likes_of
    for spread in (3.0, 40.0):
        seen = rng.poisson(expected * rng.gamma(spread, 1 / spread, expected.shape))
        likelihood = [nbinom.logpmf(seen, a, a / (a + expected)).sum() for a in _STRENGTHS]
        found = likeliest_prior(csr_array(seen.astype(np.float32)), share, likes_of)
        assert found == _STRENGTHS[int(np.argmax(likelihood))]
    assert found > 10


def test_people_of_a_segment_get_first_what_it_likes_more_and_others_do_not() -> None:
    model = SegmentPopularity().fit(crowd())
    german, french, unknown = (model.scores([History.empty(traits)], 0)[0] for traits in (
        {"country": ["DE"]}, {"country": ["FR"]}, {"country": ["elsewhere"]}
    ))  # fmt: skip
    place = {item: i for i, item in enumerate(model.item_ids)}
    assert german[place["dirndl"]] > german[place["beret"]]
    assert french[place["beret"]] > french[place["dirndl"]]
    assert unknown.tolist() == Popularity().fit(crowd()).scores([History.empty()], 0)[0].tolist()


def test_without_traits_in_the_log_it_is_popularity() -> None:
    log = crowd(traits=False)
    asked = [History.empty({"country": ["DE"]}), History.of([1])]
    np.testing.assert_array_equal(SegmentPopularity().fit(log).scores(asked, 0), Popularity().fit(log).scores(asked, 0))


def test_recent_votes_are_lifted_by_the_tastes_of_all_time() -> None:
    old = crowd()
    days = np.array([400 if old.item_ids[item] == "both" else 0 for item in old.item_index])
    log = Interactions.from_arrays(old.user_ids, old.item_ids, old.user_index, old.item_index, times_ms=days * DAY_MS)
    model = SegmentPopularity(recent=True).fit(log.with_traits(old.traits))
    assert model.recommend(["nobody"], 1).items(0) == ["both"]
    asked = [History.empty(), History.empty({"country": ["FR"]})]
    whole, french = model.scores(asked, 0)
    np.testing.assert_array_equal(whole, RecentPopularity().fit(log).scores(asked[:1], 0)[0])
    beret, dirndl = (list(model.item_ids).index(item) for item in ("beret", "dirndl"))
    assert french[beret] > french[dirndl] > 0


def test_no_lift_speaks_of_fewer_than_five_people() -> None:
    model = SegmentPopularity().fit(crowd())
    rare = list(model.item_ids).index("rare")
    assert model.scores([History.empty({"country": ["DE"]})], 0)[0][rare] == 2
    assert model.leading_trait({"country": ["DE"]}, rare) is None
    alone = crowd().with_traits(PersonTraits(["00", "01", "02", "03"], {"city": [["Ulm"]] * 4}))
    assert not any(b"Ulm" in array.tobytes() for array in SegmentPopularity().fit(alone).arrays().values())


def test_the_trait_that_lifts_an_item_is_named_and_one_that_lowers_it_is_not() -> None:
    model = SegmentPopularity().fit(crowd())
    place = {item: i for i, item in enumerate(model.item_ids)}
    assert model.leading_trait({"country": ["DE"], "age": ["9"]}, place["dirndl"]) == ("country", "DE")
    assert model.leading_trait({"country": ["DE"]}, place["beret"]) is None
    assert model.leading_trait({}, place["dirndl"]) is None


def test_two_traits_count_less_than_twice_one() -> None:
    log = crowd()
    country = log.traits.attributes["country"]
    twice = log.with_traits(PersonTraits(log.user_ids, {"country": country, "language": country}))
    once = SegmentPopularity().fit(log).scores([History.empty({"country": ["DE"]})], 0)[0]
    both = SegmentPopularity().fit(twice).scores([History.empty({"country": ["DE"], "language": ["DE"]})], 0)[0]
    votes = Popularity().fit(log).scores([History.empty()], 0)[0]
    np.testing.assert_allclose(np.log(both / votes), np.sqrt(2) * np.log(once / votes), rtol=1e-5, atol=1e-6)


def test_a_blend_with_it_reads_traits_and_an_artefact_keeps_them(tmp_path) -> None:
    blend = Blend([{"name": "segment_popularity"}, {"name": "ease"}], [1.0, 1.0])
    assert blend.reads_traits
    assert not Blend([{"name": "ease"}], [1.0]).reads_traits
    fitted = blend.fit(crowd())
    save(fitted, tmp_path / "v1")
    asked = [History.empty({"country": ["FR"]}), History.of([0], traits={"country": ["DE"]})]
    np.testing.assert_array_equal(load(tmp_path / "v1").model.scores(asked, 0), fitted.scores(asked, 0))
