import numpy as np

from bespeak.models import AttributeFactors, History, Interactions, ItemContent, PersonTraits

N = 40


def films() -> ItemContent:
    """Ten war films, ten of love; the last of each kind is new: nobody has seen it."""
    kinds = [["war"]] * 10 + [["love"]] * 10
    return ItemContent([f"{kind[0]} {place:02}" for place, kind in enumerate(kinds)], attributes={"genre": kinds})


def cinema() -> Interactions:
    """The old watch war films, the young films of love, each person seven of the nine that are not new."""
    users, items = [], []
    for person in range(N):
        first = 0 if person < N // 2 else 10
        for step in range(7):
            users.append(f"{person:02}")
            items.append(films().item_ids[first + (person + step) % 9])
    log = Interactions.from_events(users, items, item_ids=films().item_ids)
    return log.with_traits(PersonTraits(log.user_ids, {"age": [["old"]] * (N // 2) + [["young"]] * (N // 2)}))


def fitted(**settings: float) -> AttributeFactors:
    return AttributeFactors(**{"factors": 4, "l2": 1.0, "ridge": 1.0} | settings).fit(cinema(), films())


def test_a_3x3_fit_equals_the_literal_formula() -> None:
    """Dense confidences, one ridge regression at a time, no shortcut."""
    log = Interactions.from_events(["a", "a", "b", "c", "c"], ["x", "y", "x", "z", "x"], [1, 1, 3, 1, -1])
    log = log.with_traits(PersonTraits(log.user_ids, {"t": [["p"], ["p"], ["q"]]}))
    content = ItemContent(["x", "y", "z"], attributes={"g": [["m"], ["m"], ["n"]]})
    model = AttributeFactors(factors=2, l2=0.7, ridge=0.3, alpha=1.5, rounds=3, min_people=1, seed=4)
    strengths = np.array([[1, 1, 0], [2, 0, 0], [-1, 0, 1.0]])  # log2(1 + w)
    confidence, wanted = 1 + 1.5 * np.abs(strengths), (strengths > 0).astype(float)
    people, things = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1.0]]), np.array([[1, 1.0], [1, 1], [1, 0]])

    def side(weights, targets, others, foretold):
        return np.stack([
            np.linalg.solve(others.T @ np.diag(w) @ others + 0.7 * np.eye(2), others.T @ np.diag(w) @ t + 0.7 * f)
            for w, t, f in zip(weights, targets, foretold, strict=True)
        ])  # fmt: skip

    def regressed(terms, vectors):
        return np.linalg.inv(terms.T @ terms + 0.3 * np.eye(terms.shape[1])) @ terms.T @ vectors

    y = np.random.default_rng(4).normal(0, 0.1, (3, 2))
    a, b = np.zeros((3, 2)), np.zeros((2, 2))
    for _ in range(3):
        p = side(confidence, wanted, y, people @ a)
        a = regressed(people, p)
        y = side(confidence.T, wanted.T, p, things @ b)
        b = regressed(things, y)
    found = model.fit(log, content).arrays()
    np.testing.assert_allclose(found["trait_vectors"], a, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["vectors"], y, rtol=1e-4, atol=1e-6)


def test_people_known_by_traits_alone_get_what_people_like_them_chose() -> None:
    model = fitted()
    old, young = model.scores([History.empty({"age": ["old"]}), History.empty({"age": ["young"]})], 0)
    assert old[:9].min() > old[10:19].max()
    assert young[10:19].min() > young[:9].max()


def test_an_item_known_by_attributes_alone_stands_with_those_like_it() -> None:
    scores = fitted().scores([History.of([0, 1, 2]), History.empty({"age": ["young"]})], 0)
    assert scores[0][9] > scores[0][19]
    assert scores[1][19] > scores[1][9]


def test_likes_outweigh_what_traits_foretell() -> None:
    scores = fitted().scores([History.of([10, 11, 12, 13, 14, 15], traits={"age": ["old"]})], 0)[0]
    assert scores[16:19].min() > scores[:9].max()


def test_unknown_traits_count_as_none_and_few_people_make_no_trait() -> None:
    model = fitted()
    assert not model.scores([History.empty({"age": ["ageless"]}), History.empty({"city": ["Ulm"]})], 0).any()
    log = cinema().with_traits(PersonTraits(["00", "01", "02", "03"], {"city": [["Ulm"]] * 4}))
    arrays = AttributeFactors(factors=4).fit(log, films()).arrays().values()
    assert not any(b"Ulm" in array.tobytes() for array in arrays)


def test_without_traits_and_attributes_likes_alone_decide() -> None:
    log = Interactions.from_arrays(cinema().user_ids, cinema().item_ids, cinema().user_index, cinema().item_index)
    scores = AttributeFactors(factors=4, l2=1.0).fit(log).scores([History.of([0, 1]), History.empty()], 0)
    assert scores[0][:9].min() > scores[0][10:19].max()
    assert not scores[1].any()


def test_the_traits_of_a_person_who_only_dislikes_still_count() -> None:
    plain, sour = fitted().scores(
        [History.empty({"age": ["old"]}), History.of([3], [-2.0], traits={"age": ["old"]})], 0
    )
    assert sour[3] < plain[3]
    assert (sour <= plain + 1e-6).all()
    assert sour[[0, 1, 2, 4]].min() > sour[10:19].max()
