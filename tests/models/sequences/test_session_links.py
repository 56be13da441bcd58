import math

import numpy as np
import pytest

from bespeak.models import History, Interactions, SessionLinks

PLAIN = {"gap_minutes": None, "rarity": 0.0, "item_rarity": 0.0, "length": 0.0, "recency": 0.0}


def two_visits() -> Interactions:
    """Visits x y z and z y."""
    return Interactions.from_events(list("aaabb"), list("xyzzy"))


def links(model: SessionLinks) -> list[list[float]]:
    """W, one row per item of the history: the scores of each item as the only like."""
    return model.scores([History.of([item]) for item in range(len(model.item_ids))], 0).tolist()


def test_links_by_hand() -> None:
    """From y: z is one place ahead in the first visit and one behind in the second; x is one behind in the first."""
    model = SessionLinks(**PLAIN, second_step=0.0, ahead=2.0, behind=0.5, behind_share=0.25).fit(two_visits())
    far_ahead, far_behind = math.exp(-0.5), 0.25 * math.exp(-2)
    assert links(model) == [
        pytest.approx([1, 1, far_ahead]),
        pytest.approx([0.25, 2, 1 + 0.25]),
        pytest.approx([far_behind, 0.25 + 1, 2]),
    ]


def test_the_second_step_by_hand() -> None:
    """Visits x y and y z, every link 1. From x all goes on to y; from y half goes back to x and half on to z.

    Row x of N adds up to 2 (x itself, y), so z, two steps away, gets 2 * 1 * 1/2. Row y adds up to 4 (y itself twice).
    """
    log = Interactions.from_events(list("aabb"), list("xyyz"))
    model = SessionLinks(**PLAIN, second_step=1.0, behind_share=1.0).fit(log)
    assert links(model) == [pytest.approx([1, 1, 1]), pytest.approx([1, 2, 1]), pytest.approx([1, 1, 1])]


def test_likes_further_back_count_less() -> None:
    model = SessionLinks(**PLAIN, second_step=0.0, behind_share=0.0, query_steps=2.0).fit(two_visits())
    x, y = np.array(links(model)[0]), np.array(links(model)[1])
    assert model.scores([History.of([0, 1])], 0)[0] == pytest.approx(y + math.exp(-0.5) * x)


def test_likes_before_the_window_do_not_count() -> None:
    model = SessionLinks(gap_minutes=None, window=1).fit(two_visits())
    assert model.scores([History.of([0, 1])], 0).tolist() == model.scores([History.of([1])], 0).tolist()


@pytest.mark.parametrize("settings", [{"rarity": 1.0}, {"item_rarity": 1.0}])
def test_common_items_count_less(settings: dict[str, float]) -> None:
    log = Interactions.from_events(list("aabb"), list("xyxz"))
    plain = np.array(links(SessionLinks(**PLAIN, second_step=0.0).fit(log)))
    lowered = np.array(links(SessionLinks(**(PLAIN | settings), second_step=0.0).fit(log)))
    shares = np.array([0.5, 1, 1])
    assert lowered == pytest.approx(plain * (shares[:, None] if "rarity" in settings else shares))


def test_without_decays_links_add_up_to_what_all_visits_that_share_an_item_say() -> None:
    rng = np.random.default_rng(5)
    users = np.repeat(np.arange(40), 4)
    items = np.concatenate([rng.permutation(12)[:4] for _ in range(40)])  # no repeats: then each item has one place
    log = Interactions.from_arrays([f"{u:02}" for u in range(40)], [str(i) for i in range(12)], users, items)
    shared = {
        "gap_minutes": None,
        "ahead": 1e12,
        "behind": 1e12,
        "query_steps": 2.0,
        "length": 0.4,
        "rarity": 0.6,
        "item_rarity": 0.3,
        "recency": 0.5,
    }
    linked = SessionLinks(**shared, behind_share=1.0, second_step=0.0).fit(log)
    likes = [1, 5, 7]
    n = np.bincount(items, minlength=12)
    expected = np.zeros(12)
    for visit, held in enumerate(items.reshape(40, 4)):
        said = 4**-0.4 * math.exp(-((39 - visit) / 40) / 0.5)
        for steps, like in enumerate(reversed(likes)):
            if like in held:
                expected[held] += math.exp(-steps / 2) * said * n[like] ** -0.6 * n[held] ** -0.3
    np.testing.assert_allclose(linked.scores([History.of(likes)], 0)[0], expected, rtol=1e-5)


def test_only_the_strongest_links_of_an_item_are_kept() -> None:
    model = SessionLinks(**PLAIN, second_step=0.0, links=1).fit(two_visits())
    assert links(model) == [[1, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_blocks_of_rows_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    users = np.repeat(np.arange(30), 5)
    log = Interactions.from_arrays(
        [f"{u:02}" for u in range(30)], [str(i) for i in range(15)], users, rng.integers(0, 15, len(users))
    )
    at_once = SessionLinks(gap_minutes=None).fit(log).arrays()
    monkeypatch.setattr("bespeak.models.sequences.session_links._BLOCK_PAIRS", 40_000)
    in_blocks = SessionLinks(gap_minutes=None).fit(log).arrays()
    for name, array in at_once.items():
        np.testing.assert_array_equal(array, in_blocks[name])
