"""Files: CSV, JSONL, Parquet and Segment lines, with everything that real files get wrong."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.columns import ColumnMapping, parse_mapping
from bespeak.intake.files import BadLine, ImportFile, SourceInfo
from bespeak.intake.times import parse_time_ms
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import Event
from bespeak.signals.items import Item, Market

SIGNALS = SignalCatalogue.built_in()
SOURCE = SourceInfo(name="import", kind="import")
RECEIVED_MS = parse_time_ms("2026-11-22T12:00:00Z")


def open_file(path: Path, what: Any = "events", **options: Any) -> ImportFile:
    return ImportFile(path, what, source=SOURCE, received_ms=RECEIVED_MS, signals=SIGNALS, **options)


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(file: ImportFile, n_rows: int = 2_000) -> tuple[list[Event], list[Item], list[BadLine]]:
    events: list[Event] = []
    items: list[Item] = []
    bad: list[BadLine] = []
    for batch in file.batches(n_rows):
        assert len(batch.line_numbers) == len(batch.events) + len(batch.items)
        events += batch.events
        items += batch.items
        bad += batch.bad
    return events, items, bad


# -- events --


def test_ratings_with_seconds_become_reviews(tmp_path: Path) -> None:
    path = write(tmp_path, "userId,movieId,rating,timestamp\n196,242,3,881250949\n186,302,4.5,891717742\n")
    file = open_file(path)
    assert file.mapping.text() == "user=userId,item=movieId,timestamp=timestamp,rating=rating"
    assert file.guess is not None
    assert file.guess.confidence == 1.0
    events, _, bad = read(file)
    assert bad == []
    assert [(e.name, e.user_id, e.properties, e.time_ms) for e in events] == [
        ("Product Reviewed", "196", {"product_id": "242", "rating": 3.0}, 881250949000),
        ("Product Reviewed", "186", {"product_id": "302", "rating": 4.5}, 891717742000),
    ]
    assert {s.signal_class: s.strength for s in SIGNALS.signals_of(events[1])}["rating"] == 0.75
    assert all(event.is_vouched for event in events)


def test_short_words_for_events_get_their_name_and_other_names_stay(tmp_path: Path) -> None:
    rows = ["user,item,action", "u,a,view", "u,a,PURCHASE", "u,a,addtocart", "u,a,Lamp Dimmed", "u,a,"]
    events, _, _ = read(open_file(write(tmp_path, "\n".join(rows))))
    assert [event.name for event in events] == [
        "Product Viewed",
        "Order Completed",
        "Product Added",
        "Lamp Dimmed",
        "Product Viewed",
    ]
    assert {event.time_ms for event in events} == {RECEIVED_MS}


def test_a_mapping_with_a_constant_is_followed_and_the_rest_becomes_properties(tmp_path: Path) -> None:
    path = write(tmp_path, "who;what;zip;score\nu1;p1;01234;5\nu2;p2;;x\n")
    mapping = parse_mapping("user=who,item=what,event='Product Viewed'")
    events, _, _ = read(open_file(path, mapping=mapping))
    assert [event.name for event in events] == ["Product Viewed"] * 2
    assert [event.properties for event in events] == [
        {"product_id": "p1", "zip": "01234", "score": "5"},
        {"product_id": "p2", "score": "x"},
    ]


def test_lines_of_one_order_that_follow_each_other_are_one_order(tmp_path: Path) -> None:
    rows = [
        "order_id,customer_id,sku,qty,price,date",
        "1,c1,a,2,9.90,2024-05-01",
        "1,c1,b,1,5,2024-05-01",
        "2,c2,a,1,9.90,2024-05-02",
        "3,c1,b,3,5,2024-05-03",
        "3,c1,c,1,1,2024-05-03",
    ]
    path = write(tmp_path, "\n".join(rows))
    file = open_file(path, default_currency="EUR")
    events, _, bad = read(file)
    assert bad == []
    assert [event.name for event in events] == ["Order Completed"] * 3
    assert events[0].properties == {
        "order_id": "1",
        "currency": "EUR",
        "products": [
            {"product_id": "a", "quantity": 2.0, "price": 9.9},
            {"product_id": "b", "quantity": 1.0, "price": 5.0},
        ],
    }
    assert [(s.item_id, s.value_minor) for s in SIGNALS.signals_of(events[0])] == [("a", 1980), ("b", 500)]
    for n_rows in (1, 2, 3, 4):
        assert read(open_file(path, default_currency="EUR"), n_rows)[0] == events


def test_a_money_column_without_prices_is_the_orders_revenue(tmp_path: Path) -> None:
    path = write(tmp_path, "customer,date,cds,dollars\n1,1997-01-01,1,11.77\n2,1997-01-12,5,77\n")
    events, _, _ = read(open_file(path))
    assert [(e.name, e.properties) for e in events] == [
        ("Order Completed", {"revenue": 11.77, "cds": 1.0}),
        ("Order Completed", {"revenue": 77.0, "cds": 5.0}),
    ]
    assert SIGNALS.signals_of(events[1])[0].value_minor == 7700


def test_the_same_file_twice_gives_the_same_message_ids_and_equal_rows_are_one_event(tmp_path: Path) -> None:
    content = "user,item,timestamp\nu,a,1700000000\nu,b,1700000000\nu,a,1700000000\n"
    first, _, _ = read(open_file(write(tmp_path, content, "one.csv")))
    second, _, _ = read(open_file(write(tmp_path, content, "two.csv")), 1)
    ids = [event.message_id for event in first]
    assert ids == [event.message_id for event in second]
    assert ids[0] == ids[2] != ids[1]
    shuffled, _, _ = read(open_file(write(tmp_path, "timestamp,item,user\n1700000000,a,u\n", "three.csv")))
    assert shuffled[0].message_id == ids[0]


def test_a_message_id_column_is_used(tmp_path: Path) -> None:
    events, _, _ = read(open_file(write(tmp_path, "message_id,user,item\nm-1,u,a\n")))
    assert events[0].message_id == "m-1"


def test_times_that_cannot_be_read_and_rows_without_a_user_cost_only_themselves(tmp_path: Path) -> None:
    mapping = parse_mapping("user=user,item=item,timestamp=when")
    path = write(tmp_path, "user,item,when\nu,a,soon\n,a,2024-01-01\nu,a,1500-01-01\nu,a,2024-01-01\n")
    events, _, bad = read(open_file(path, mapping=mapping))
    assert len(events) == 1
    assert [(line.line_number, line.reason) for line in bad] == [
        (2, "invalid_timestamp"),
        (3, "missing_id"),
        (4, "invalid_timestamp"),
    ]


# -- bad lines --


def test_bad_lines_in_the_middle_are_reported_by_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    content = (
        b"user,item,title\n"  # 1
        b"u1,a,Plain\n"  # 2
        b"u2,a\n"  # 3 too few
        b"u3,a,b,c\n"  # 4 too many
        b'u4,a,"Two, with comma"\n'  # 5
        b'u5,a,"spans\n'  # 6
        b'two lines"\n'  # 7
        b'u6,a,"never ends\n'  # 8 a stray quote
        b"u7,a,After\n"  # 9
        b"\n"  # 10 empty
        b"u8,a,\xff\xfe\n"  # 11 no UTF-8
        b"u9,a,K\xc3\xb6ln\r\n"  # 12
        b"u10,a,nul\x00\n"  # 13
        b'u11,a,"half"x\n'  # 14
        b"u12,a,Last"  # 15
    )
    events, _, bad = read(open_file(write(tmp_path, content)))
    assert [(event.user_id, event.properties["title"]) for event in events] == [
        ("u1", "Plain"),
        ("u4", "Two, with comma"),
        ("u5", "spans\ntwo lines"),
        ("u7", "After"),
        ("u9", "Köln"),
        ("u12", "Last"),
    ]
    assert [(line.line_number, line.reason) for line in bad] == [
        (3, "wrong_columns"),
        (4, "wrong_columns"),
        (8, "invalid_quotes"),
        (11, "invalid_text"),
        (13, "invalid_text"),
        (14, "invalid_quotes"),
    ]
    assert bad[0].raw == b"u2,a"
    assert "3" in bad[0].detail


def test_a_line_of_many_megabytes_is_one_bad_line(tmp_path: Path) -> None:
    content = b"user,item\nu1,a\nu2," + b"x" * 5_000_000 + b"\nu3,a\n"
    events, _, bad = read(open_file(write(tmp_path, content)))
    assert [event.user_id for event in events] == ["u1", "u3"]
    assert [(line.line_number, line.reason) for line in bad] == [(3, "line_too_long")]


def test_every_line_is_a_record_or_a_bad_line(tmp_path: Path) -> None:
    lines = ["user,item,timestamp"] + [f"u{i},p{i % 7},{'x' if i % 10 == 0 else 1700000000 + i}" for i in range(1_000)]
    mapping = parse_mapping("user=user,item=item,timestamp=timestamp")
    events, _, bad = read(open_file(write(tmp_path, "\n".join(lines)), mapping=mapping), 64)
    assert (len(events), len(bad)) == (900, 100)
    assert [line.line_number for line in bad] == [i + 2 for i in range(0, 1_000, 10)]


# -- dialects and formats --


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    rows = [["user", "item", "note"], ["u", "a", "x y"], ["u", "b", "z"]]
    path = write(tmp_path, "\ufeff" + "\n".join(delimiter.join(row) for row in rows))
    file = open_file(path)
    assert file.columns == ("user", "item", "note")
    assert len(read(file)[0]) == 2


def test_a_file_without_header_has_numbered_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "u.data")
    file = open_file(path, mapping=parse_mapping("user=column_1,item=column_2,rating=column_3,timestamp=column_4"))
    assert [event.user_id for event in read(file)[0]] == ["196", "186"]


def test_a_first_line_with_a_time_or_an_address_is_no_header_and_no_message_repeats_it(tmp_path: Path) -> None:
    for first in ("ann,p1,2026-08-01T10:00:00Z", "ann@example.com,p1,view", "ann,p1,01.08.2026 10:00"):
        with pytest.raises(InvalidInput, match="no column is known to hold user") as caught:
            open_file(write(tmp_path, f"{first}\n"))
        assert "ann" not in f"{caught.value} {caught.value.hint}"
        mapping = parse_mapping("user=column_1,item=column_2")
        assert open_file(tmp_path / "data.csv", mapping=mapping).columns == ("column_1", "column_2", "column_3")


def test_rows_that_name_nothing_but_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="item or event"):
        open_file(write(tmp_path, "user,timestamp\nann,2026-08-01T10:00:00Z\n"))
    mapping = parse_mapping("user=user,event='Signed Up'")
    assert [event.name for event in read(open_file(tmp_path / "data.csv", mapping=mapping))[0]] == ["Signed Up"]


def test_an_index_column_without_a_name_is_no_obstacle(tmp_path: Path) -> None:
    file = open_file(write(tmp_path, ",user,item\n0,u,a\n"))
    assert file.columns == ("column_1", "user", "item")


def test_a_file_in_a_western_encoding_is_recognised(tmp_path: Path) -> None:
    events, _, bad = read(open_file(write(tmp_path, "user,item,title\nu,a,Café\n".encode("cp1252"))))
    assert (events[0].properties["title"], bad) == ("Café", [])


def test_gzip_is_read_for_csv_and_jsonl(tmp_path: Path) -> None:
    csv_path = write(tmp_path, gzip.compress(b"user,item\nu,a\n"), "a.csv.gz")
    json_path = write(tmp_path, gzip.compress(b'{"user": "u", "item": "a"}\n'), "a.jsonl.gz")
    assert [len(read(open_file(path))[0]) for path in (csv_path, json_path)] == [1, 1]


def test_json_lines_may_have_different_keys_and_nested_values(tmp_path: Path) -> None:
    lines = [
        '{"user": 1, "item": 2, "tags": ["a", "b"], "timestamp": "2024-01-01T00:00:00Z"}',
        "not json",
        "[1]",
        '{"user": 3, "item": 4, "extra": {"deep": [1, null]}, "timestamp": 1704067200}',
        '{"user": 5, "item": "x\\u0000"}',
        '{"item": 4}',
    ]
    for n_rows in (2, 100):
        events, _, bad = read(open_file(write(tmp_path, "\n".join(lines), "a.jsonl")), n_rows)
        assert [(e.user_id, e.properties, e.time_ms) for e in events] == [
            ("1", {"product_id": "2", "tags": ["a", "b"]}, 1704067200000),
            ("3", {"product_id": "4", "extra": {"deep": [1]}}, 1704067200000),
        ]
        assert sorted((line.line_number, line.reason) for line in bad) == [
            (2, "invalid_json"),
            (3, "invalid_json"),
            (5, "invalid_json"),
            (6, "missing_id"),
        ]


def test_parquet_types_are_understood(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user": pa.array([1, 2], pa.int32()),
            "item": pa.array(["a", "b"]).dictionary_encode(),
            "time": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="UTC")),
            "price": pa.array([Decimal("1.50"), None], pa.decimal128(8, 2)),
            "day": pa.array([date(2024, 1, 1)] * 2),
            "tags": pa.array([["x"], []]),
            "nan": pa.array([float("nan"), 1.0]),
            "flag": pa.array([True, None]),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    file = open_file(path)
    assert file.mapping.columns["timestamp"] == "time"
    events, _, bad = read(file, 1)
    assert bad == []
    assert [event.time_ms for event in events] == [1704067200000] * 2
    first, second = (event.properties for event in events)
    assert first == {"product_id": "a", "price": 1.5, "day": 1704067200000, "tags": ["x"], "flag": True}
    assert second == {"product_id": "b", "day": 1704067200000, "nan": 1.0}


def test_segment_lines_are_events_with_their_own_times(tmp_path: Path) -> None:
    lines = [
        '{"type": "track", "event": "E", "userId": "u", "messageId": "1", "timestamp": "2020-01-01T00:00:00Z"}',
        '{"type": "launch", "userId": "u"}',
        "",
        "nonsense",
        '{"type": "identify", "userId": "u", "traits": {"age": 3}, "messageId": "2"}',
    ]
    path = write(tmp_path, gzip.compress("\n".join(lines).encode()), "a.jsonl.gz")
    for n_rows in (1, 100):
        events, _, bad = read(open_file(path, file_format="segment"), n_rows)
        assert [event.message_id for event in events] == ["1", "2"]
        assert events[0].time_ms == parse_time_ms("2020-01-01T00:00:00Z")
        assert [(line.line_number, line.reason) for line in bad] == [(2, "unknown_type"), (4, "invalid_json")]
    with pytest.raises(InvalidInput, match="holds events, not items"):
        open_file(path, "items", file_format="segment")


# -- users and items --


def test_users_become_identifies_with_typed_traits(tmp_path: Path) -> None:
    path = write(tmp_path, "user,age,gender,occupation,shoe\n1,24,M,technician,43\n2,,F,,\n")
    events, _, bad = read(open_file(path, "users"))
    assert bad == []
    assert [event.type for event in events] == ["identify"] * 2
    assert events[0].traits == {"age": 24.0, "gender": "M", "profession": "technician", "shoe": 43.0}
    assert SIGNALS.traits_of(events[0])["age_band"] == "18-24"
    assert events[1].traits == {"gender": "F"}


def test_items_get_prices_lists_and_attributes(tmp_path: Path) -> None:
    rows = [
        "item,title,genres,price,currency,in_stock,year,release_date",
        "1,Toy Story,Animation|Comedy,9.99,EUR,yes,1995,1995-01-01",
        "2,GoldenEye,Action|Thriller,500,JPY,0,1995,",
        "3,No Price,Drama|,,,,,",
        "4,Bad,Drama|,minus,EUR,,,",
        ",No id,Drama|,1,EUR,,,",
    ]
    mapping = parse_mapping(
        "id=item,title=title,price=price,currency=currency,available=in_stock,published_at=release_date"
    )
    path = write(tmp_path, "\n".join(rows))
    file = open_file(path, "items", mapping=mapping)
    assert file.lists == ("genres",)
    _, items, bad = read(file)
    assert [(item.id, item.attributes) for item in items] == [
        ("1", {"genres": ["Animation", "Comedy"], "year": 1995.0}),
        ("2", {"genres": ["Action", "Thriller"], "year": 1995.0}),
        ("3", {"genres": ["Drama"]}),
    ]
    assert items[0].markets == {"default": Market(price=999, currency="EUR", is_available=True)}
    assert items[1].markets == {"default": Market(price=500, currency="JPY", is_available=False)}
    assert items[2].markets == {}
    assert items[0].published_at == parse_time_ms("1995-01-01")
    assert [(line.line_number, line.reason) for line in bad] == [(5, "invalid_item"), (6, "invalid_item")]


def test_declared_lists_go_before_guessed_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "item,a,b\n1,x|y,z\n2,x|y,z|w\n3,x|y,z\n")
    _, guessed, _ = read(open_file(path, "items"))
    _, declared, _ = read(open_file(path, "items", lists=["b"]))
    assert guessed[0].attributes == {"a": ["x", "y"], "b": "z"}
    assert declared[1].attributes == {"a": "x|y", "b": ["z", "w"]}
    with pytest.raises(InvalidInput, match="no column 'c'"):
        open_file(path, "items", lists=["c"])


# -- progress, resuming, refusals --


def test_progress_grows_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item\n" + "\n".join(f"u{i},a" for i in range(200_000)))
    batches = list(open_file(path).batches(50_000))
    done = [batch.bytes_done for batch in batches]
    assert done == sorted(done)
    assert done[0] < done[-1] == batches[0].bytes_total == path.stat().st_size
    assert [batch.n_rows for batch in batches] == [50_000, 100_000, 150_000, 200_000]


def test_an_import_goes_on_behind_a_line_and_no_order_is_torn(tmp_path: Path) -> None:
    rows = [f"{i // 3},c{i // 3},p{i},1,2.0" for i in range(30)]
    path = write(tmp_path, "order_id,customer_id,sku,qty,price\n" + "\n".join(rows))
    whole, _, _ = read(open_file(path))
    for stop in range(1, 8):
        seen: list[Event] = []
        resume = 0
        for n, batch in enumerate(open_file(path).batches(4), start=1):
            seen += batch.events
            resume = batch.last_line
            if n == stop:
                break
        rest = [event for batch in open_file(path).batches(4, after_line=resume) for event in batch.events]
        assert [event.message_id for event in seen + rest] == [event.message_id for event in whole]


def test_the_preview_is_what_the_import_will_give(tmp_path: Path) -> None:
    file = open_file(write(tmp_path, "user,item\n" + "u,a\n" * 50))
    assert file.preview(3).events == read(file)[0][:3]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "a.csv"),
        (b"  \n", "a.csv"),
        (b"PAR1 broken", "a.parquet"),
        (b"\x1f\x8bbroken", "a.gz"),
        (b'{"a": \n', "a.jsonl"),
        ("user,item\nu,a\n".encode("utf-16"), "a.csv"),
        (b"user,user\n1,2\n", "a.csv"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    with pytest.raises(InvalidInput, match="a\\.") as caught:
        open_file(write(tmp_path, content, name))
    assert caught.value.code == "unreadable_file"
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"user": "u", "item": "a"}]', "one JSON array"),
        (bytes(range(256)) * 4, "no text"),
        (b"user,item\ru,a\r", "CR alone"),
        (b'"user,item\nu,a\n', "does not end"),
    ],
)
def test_what_would_be_read_as_nonsense_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        open_file(write(tmp_path, content))


def test_dates_that_could_be_two_are_asked_about_and_never_become_the_time_of_the_import(tmp_path: Path) -> None:
    both = write(tmp_path, "user,item,date\nu,a,1/2/2026\nu,b,3/2/2026 10:00\n", "both.csv")
    with pytest.raises(InvalidInput, match="day or the month") as caught:
        open_file(both)
    assert "--dates" in caught.value.hint
    events, _, bad = read(open_file(both, date_order="day-first"))
    assert [event.time_ms for event in events] == [parse_time_ms("2026-02-01"), parse_time_ms("2026-02-03T10:00")]
    assert not bad
    shown = write(tmp_path, "user,item,date\nu,a,1/2/2026\nu,b,3/22/2026\n", "shown.csv")
    assert read(open_file(shown))[0][0].time_ms == parse_time_ms("2026-01-02")
    none = write(tmp_path, "user,item,date\nu,a,soon\nu,b,later\n", "none.csv")
    with pytest.raises(InvalidInput, match="'date' is named like the time"):
        open_file(none)
    assert len(read(open_file(none, mapping=parse_mapping("user=user,item=item")))[0]) == 2


def test_decimal_commas_and_grouped_thousands_are_numbers(tmp_path: Path) -> None:
    german = write(tmp_path, "user;item;price;code\nu;a;39,90;1,234\nu;b;1.234,50;5,678\n", "german.csv")
    events, _, _ = read(open_file(german))
    assert [event.properties["price"] for event in events] == [39.9, 1234.5]
    assert events[0].properties["code"] == "1,234", "it could be either"
    items = write(tmp_path, 'id,price\na,"1,234.50"\nb,"999"\n', "items.csv")
    found = read(open_file(items, "items", default_currency="EUR"))[1]
    assert [item.markets["default"].price for item in found] == [123_450, 99_900]


def test_the_preview_shows_orders_too(tmp_path: Path) -> None:
    path = write(tmp_path, "order,user,item,date\n1,u,a,2026-01-01\n1,u,b,2026-01-01\n2,v,a,2026-01-02\n")
    assert open_file(path).preview(3).events[0].properties["order_id"] == "1"


def test_segment_lines_without_id_and_time_are_the_same_events_when_they_are_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, '{"type": "track", "event": "E", "userId": "u"}\n{"type": "identify", "userId": "u"}\n')
    first, second = (
        [
            event.message_id
            for batch in ImportFile(
                path, "events", source=SOURCE, received_ms=received_ms, signals=SIGNALS, file_format="segment"
            ).batches()
            for event in batch.events
        ]
        for received_ms in (RECEIVED_MS, RECEIVED_MS + 86_400_000)
    )
    assert first == second
    assert len(set(first)) == 2


def test_json_lines_that_are_segment_events_are_read_as_such(tmp_path: Path) -> None:
    lines = (
        '{"type": "identify", "userId": "u", "traits": {"age": 30}}\n{"type": "track", "event": "E", "userId": "u"}\n'
    )
    path = write(tmp_path, lines, "a.jsonl")
    assert [(event.type, event.traits) for event in read(open_file(path))[0]] == [
        ("identify", {"age": 30}),
        ("track", {}),
    ]
    as_table = open_file(path, mapping=parse_mapping("user=userId,event=type"))
    assert [event.name for event in read(as_table)[0]] == ["identify", "track"]
    shop = write(tmp_path, '{"type": "sale", "userId": "u", "item": "a"}\n', "b.jsonl")
    assert read(open_file(shop))[0][0].properties == {"product_id": "a"}


def test_an_order_of_a_negative_quantity_is_a_refund(tmp_path: Path) -> None:
    content = "order,user,item,quantity,price\n1,u,a,2,5\nC1,u,a,-2,5\nC1,u,b,-1,3\n"
    bought, returned = read(open_file(write(tmp_path, content)))[0]
    assert (bought.name, bought.properties["quantity"]) == ("Order Completed", 2)
    assert returned.name == "Order Refunded"
    assert [product["quantity"] for product in returned.properties["products"]] == [2, 1]


def test_a_word_for_nobody_is_rejected_with_its_line(tmp_path: Path) -> None:
    _, _, bad = read(open_file(write(tmp_path, "user,item\nnull,a\nu,a\n0,a\n")))
    assert [(line.line_number, line.reason) for line in bad] == [(2, "missing_id"), (4, "missing_id")]


def test_columns_with_a_comma_stand_in_backquotes(tmp_path: Path) -> None:
    path = write(tmp_path, 'user,"item, or so",when\nu,a,2026-01-01\n')
    mapping = parse_mapping("user=user,item=`item, or so`,timestamp=when")
    assert parse_mapping(mapping.text()) == mapping
    assert read(open_file(path, mapping=mapping))[0][0].properties == {"product_id": "a"}


def test_parquet_bytes_are_text_or_hexadecimal(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {
        "user": pa.array([b"ann", b"ben"]),
        "item": pa.array([b"\x00" * 16, b"\xff" * 16], pa.binary(16)),
        "other": pa.array([b"\xff\xfe", None]),
        "pairs": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    }
    pq.write_table(pa.table(columns), path)
    events, _, _ = read(open_file(path))
    assert [event.user_id for event in events] == ["ann", "ben"]
    assert events[0].properties == {"product_id": "00" * 16, "other": "fffe", "pairs": {"k": 1}}
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 3, names=["user", "item", "item"]), path)
    with pytest.raises(InvalidInput, match="two columns 'item'"):
        open_file(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be read"):
            open_file(path)


def test_an_archive_that_is_cut_off_gives_what_came_before(tmp_path: Path) -> None:
    body = gzip.compress(("user,item\n" + "\n".join(f"u{i},{i * 7919 % 10007}" for i in range(300_000))).encode())
    path = write(tmp_path, body[: len(body) - 20_000], "a.csv.gz")
    events: list[Event] = []
    batches = open_file(path).batches(1_000)
    with pytest.raises(InvalidInput, match=r"ends too early after line [\d,]{6,}"):
        events.extend(event for batch in batches for event in batch.events)
    assert len(events) > 100_000


def test_a_small_archive_that_is_cut_off_gives_what_came_before_too(tmp_path: Path) -> None:
    body = gzip.compress(("user,item\n" + "".join(f"u{i},p{i % 50}\n" for i in range(30_000))).encode())
    path = write(tmp_path, body[: len(body) // 2], "a.csv.gz")
    events: list[Event] = []
    batches = open_file(path).batches(1_000)
    with pytest.raises(InvalidInput, match="ends too early"):
        events.extend(event for batch in batches for event in batch.events)
    assert len(events) > 5_000


def test_a_missing_column_names_the_columns_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "who,what\nu,a\n")
    with pytest.raises(InvalidInput, match="Columns: who, what") as caught:
        open_file(path, mapping=parse_mapping("user=name"))
    assert caught.value.code == "missing_column"
    with pytest.raises(InvalidInput, match="--map user=COLUMN"):
        open_file(path)
    with pytest.raises(InvalidInput, match="--map id=COLUMN"):
        open_file(path, "items")
    with pytest.raises(InvalidInput, match="events have no field 'who'"):
        open_file(path, mapping=ColumnMapping(columns={"who": "who"}))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "user,item\n" + "\n".join(f"u{i},a" for i in range(20_000)))
    assert max(len(batch.events) for batch in open_file(path).batches(500)) == 500


def test_rejects_hold_the_line_as_it_was(tmp_path: Path) -> None:
    mapping = parse_mapping("user=user,item=item,timestamp=t")
    _, _, bad = read(open_file(write(tmp_path, "user,item,t\nu,a,soon\n"), mapping=mapping))
    assert json.loads(bad[0].raw) == ["u", "a", "soon"]
