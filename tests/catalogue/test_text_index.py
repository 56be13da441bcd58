"""Search over item texts."""

from __future__ import annotations

import pytest

from bespeak.catalogue.text_index import TextIndex
from bespeak.signals.items import Item

ITEMS = [
    Item(id="a", title="Desk lamp", description="A lamp for every desk", attributes={"category": "light"}),
    Item(id="b", title="Floor lamp", attributes={"brand": "Größe"}),
    Item(id="c", title="Laptop", description="Fits on a desk, beside the lamp"),
    Item(id="d", title="Crème brûlée", texts={"de": {"title": "Gebrannte Creme"}}),
    Item(id="e", title="Running shoe", attributes={"tags": ["sport", "light"]}),
]


@pytest.fixture(scope="module")
def index() -> TextIndex:
    return TextIndex.build(ITEMS)


def found(index: TextIndex, query: str, k: int = 10) -> list[str]:
    rows, scores = index.search(query, k)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    return [ITEMS[row].id for row in rows]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("desk lamp", "a"),
        ("creme", "d"),
        ("CRÈME", "d"),
        ("gebrannte", "d"),
        ("grosse", "b"),
        ("lapt", "c"),  # people are still typing
        ("laptpo", "c"),  # neighbours swapped
        ("laptob", "c"),  # one letter other
        ("lapttop", "c"),  # one letter more
        ("laptp", "c"),  # one letter less
        ("runing shoe", "e"),
    ],
)
def test_the_best_item_comes_first(index: TextIndex, query: str, best: str) -> None:
    assert found(index, query)[0] == best


def test_a_title_counts_more_than_a_description(index: TextIndex) -> None:
    assert found(index, "lamp ").index("c") == 2


def test_more_matched_words_win(index: TextIndex) -> None:
    assert found(index, "floor lamp")[0] == "b"
    assert set(found(index, "floor lamp")) == {"a", "b", "c"}


@pytest.mark.parametrize("query", ["", "   ", "???", "zzzzzz", "xq", "\ud800", "a" * 5000])
def test_what_matches_nothing_finds_nothing(index: TextIndex, query: str) -> None:
    assert found(index, query) == []


def test_at_most_k_items_come_back_and_ties_go_to_the_lower_index() -> None:
    same = TextIndex.build([Item(id=str(i), title="same thing") for i in range(5)])
    rows, _ = same.search("same", 3)
    assert rows.tolist() == [0, 1, 2]


def test_an_empty_catalogue_can_be_searched() -> None:
    assert TextIndex.build([]).search("lamp", 5)[0].tolist() == []


def test_an_index_that_follows_a_change_answers_as_one_that_is_built_anew(index: TextIndex) -> None:
    changed = [ITEMS[1], Item(id="f", title="Sofa lamp"), *ITEMS[3:]]
    followed, anew = TextIndex.build(changed, index), TextIndex.build(changed)
    for query in ("lamp", "sofa", "sof", "lampp", "laptop", "desk", "creme"):
        rows, scores = followed.search(query, 9)
        assert rows.tolist() == anew.search(query, 9)[0].tolist()
        assert scores == pytest.approx(anew.search(query, 9)[1])
    assert found(index, "laptop") == ["c"]  # the earlier snapshot is as it was
    assert found(index, "sofa") == []
