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


GOODS = [
    Item(id="p0", title="Wireless headphones", attributes={"model": "ps5"}),
    Item(id="p1", title="Shoe size 42"),
    Item(id="p2", title="Shoe size 43"),
    Item(id="p3", title="Kopfkissen", texts={"fr": {"title": "Oreiller"}, "de-DE": {"title": "Kissen"}}),
    Item(id="p4", title="Pillow", texts={"fr": {"title": "Kopfkissen"}}),
    Item(id="p5", title="Photograph frame"),
]


@pytest.mark.parametrize(
    ("query", "found_ids"),
    [
        ("haedphonse", ["p0"]),  # two swaps
        ("headfonesx", []),  # three typos
        ("hedphons", ["p0"]),  # two letters less
        ("photograf frame", ["p5"]),
        ("42", ["p1"]),
        ("size 43", ["p2", "p1"]),
        ("4", []),  # a number never goes on
        ("44", []),  # nor has it typos
        ("ps4", []),
        ("ps5", ["p0"]),
        ("lamb", []),
    ],
)
def test_long_words_may_have_two_typos_and_numbers_none(query: str, found_ids: list[str]) -> None:
    index = TextIndex.build(GOODS)
    assert [GOODS[row].id for row in index.search(query, 9)[0]] == found_ids


@pytest.mark.parametrize(
    ("query", "locale", "found_ids"),
    [
        ("oreiller", "fr-CA", ["p3"]),
        ("oreiller", "de", []),
        ("oreiller", "", ["p3"]),
        ("kissen", "de_AT", ["p3"]),
        ("kissen", "fr", ["p3", "p4"]),  # not by the German text, but as the end of Kopfkissen
        ("kopfkissen", "de", ["p3"]),
        ("kopfkissen", "fr", ["p3", "p4"]),  # the title of no stated language is found in every one
        ("oreilelr", "fr", ["p3"]),
        ("oreil", "fr", ["p3"]),
        ("pillow", "zz", ["p4"]),
    ],
)
def test_texts_in_a_language_are_found_by_queries_in_it_or_in_none(
    query: str, locale: str, found_ids: list[str]
) -> None:
    index = TextIndex.build(GOODS)
    assert sorted(GOODS[row].id for row in index.search(query, 9, locale)[0]) == found_ids


def test_a_lexicon_of_items_that_are_gone_is_begun_anew() -> None:
    index = TextIndex.build([Item(id=f"a{n}", title=f"word{n:05}x") for n in range(4_000)])
    index = TextIndex.build(GOODS, index)
    index = TextIndex.build(GOODS, index)
    assert len(index.lexicon.words) < 100


def test_a_huge_query_counts_its_first_words_alone() -> None:
    index = TextIndex.build(GOODS)
    long = " ".join(f"nothing{n}" for n in range(5_000))
    assert index.search(f"shoe 42 {long}", 3)[0].tolist() == index.search(f"shoe 42 {long[:200]}", 3)[0].tolist()


@pytest.mark.parametrize(
    ("title", "query", "other"),
    [
        ("头戴式无线耳机", "耳机", "相机包"),
        ("ワイヤレスイヤホン", "イヤホン", "カメラ"),
        ("緑茶 100g", "茶", "紅"),
        ("หูฟังไร้สาย", "ไร้สาย", "กล้อง"),
        ("वायरलेस हेडफ़ोन", "हेडफोन", "किताब"),
        ("तेज़ किताब", "किताब", "त"),
        ("블루투스 이어폰", "이어포", "카메라"),
        ("Беспроводные наушники", "наушнки", "камера"),
        ("سمّاعات لاسلكية", "سماعات", "كاميرا"),
        ("Tai nghe không dây", "khong day", "camera"),
    ],
)
def test_texts_in_any_script_are_found_by_what_stands_in_them(title: str, query: str, other: str) -> None:
    index = TextIndex.build([Item(id="a", title=title), Item(id="b", title="Lamp")])
    assert index.search(query, 5)[0].tolist() == [0]
    assert index.search(other, 5)[0].tolist() == []


COMPOUNDS = [
    Item(id="kettle", title="Wasserkocher Edelstahl"),
    Item(id="coffee", title="Kaffee-Maschine"),
    Item(id="bike", title="E-Bike 500"),
    Item(id="helmet", title="Fahrradhelm", texts={"nl": {"title": "Fietshelm"}}),
    Item(id="desk", title="Schreibtisch"),
    Item(id="cloth", title="Tischdecke"),
    Item(id="bottle", title="Water bottle"),
]


@pytest.mark.parametrize(
    ("query", "found_ids"),
    [
        ("Wasser Kocher", ["kettle"]),
        ("wasser-kocher", ["kettle"]),
        ("wasser koch", ["kettle"]),  # still typing
        ("Kocher", ["kettle"]),
        ("kocher edelstahl", ["kettle"]),
        ("Kaffeemaschine", ["coffee"]),
        ("Kaffee Maschine", ["coffee"]),
        ("ebike", ["bike"]),
        ("e-bike", ["bike"]),
        ("fahrrad helm", ["helmet"]),
        ("helm", ["helmet"]),
        ("Tisch", ["desk", "cloth"]),
        ("bottle", ["bottle"]),
        ("wasser 500", ["bike"]),
    ],
)
def test_compounds_are_found_by_their_parts_and_however_they_are_written(query: str, found_ids: list[str]) -> None:
    index = TextIndex.build(COMPOUNDS)
    assert sorted(COMPOUNDS[row].id for row in index.search(query, 9)[0]) == sorted(found_ids)


def test_a_compound_is_found_by_its_last_part_in_its_language_alone() -> None:
    foreign = TextIndex.build([Item(id="h", title="Casque", texts={"nl": {"title": "Fietshelm"}})])
    assert [len(foreign.search("helm", 9, locale)[0]) for locale in ("nl", "fr", "")] == [1, 0, 1]


def test_a_word_that_stands_by_itself_counts_more_than_the_end_of_another() -> None:
    index = TextIndex.build([Item(id="a", title="Schreibtischlampe"), Item(id="b", title="Lampen")])
    assert index.search("lampe", 9)[0].tolist() == [1, 0]


def test_the_voicing_of_kana_makes_another_letter() -> None:
    index = TextIndex.build([Item(id="a", title="バス"), Item(id="b", title="ハス")])
    assert index.search("バス", 5)[0].tolist() == [0]
