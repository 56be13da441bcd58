"""Every table as data.

Each table declares whose data it holds (`subject`), what for (`purpose`) and how long (`retention`). Stores make their
DDL from this; the privacy desk and the test that looks for undeclared holders read the same declaration.

Types: `id` is an integer key drawn by `reserve`, `int` 64-bit, `real` double, `text` UTF-8, `blob` bytes. A trailing
`?` allows NULL.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA_VERSION = 3

Retention = Literal["log", "profile", "decision", "catalogue", "operation", "short", "ledger"]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table.

    Attributes:
        columns: name -> type, in order; the first `n_key` columns are the primary key.
        indexes: tuples of columns.
        subject: how its rows belong to people: `person` (column person_id), `ids` (an identifier in clear), `body` (may
            hold a person's data in a blob without a key), `decision` (through decision_id) or `none`.
        is_clustered: small rows, kept in key order without a separate row id where the store can.
        draws_ids: `reserve` draws its key.
    """

    name: str
    columns: dict[str, str]
    n_key: int = 1
    indexes: tuple[tuple[str, ...], ...] = ()
    subject: Literal["person", "ids", "body", "decision", "none"] = "none"
    purpose: str = "essential"
    retention: Retention = "operation"
    is_clustered: bool = False
    draws_ids: bool = False


TABLES: tuple[Table, ...] = (
    Table(name="settings", columns={"name": "text", "value": "blob"}),
    Table(
        name="versions",
        columns={"name": "text", "version": "int"},
    ),
    # -- people --------------------------------------------------------------------------------------------------------
    Table(
        name="persons",
        columns={"person_id": "id", "root_id": "int", "created_ms": "int"},
        indexes=(("root_id",),),
        subject="person",
        retention="profile",
        draws_ids=True,
    ),
    Table(
        name="links",
        columns={
            "id_kind": "text",
            "id_value": "text",
            "person_id": "int",
            "is_shared": "int",
            "source": "text",
            "first_ms": "int",
            "last_ms": "int",
        },
        n_key=2,
        indexes=(("person_id",),),
        subject="ids",
        purpose="personalize",
        retention="profile",
    ),
    Table(
        name="claims",
        columns={"id_kind": "text", "id_value": "text", "person_id": "int", "source": "text", "first_ms": "int"},
        n_key=3,
        indexes=(("person_id",),),
        subject="ids",
        purpose="personalize",
        retention="profile",
        is_clustered=True,
    ),
    Table(
        name="profiles",
        columns={"person_id": "int", "version": "int", "updated_ms": "int", "body": "blob"},
        subject="person",
        purpose="personalize",
        retention="profile",
    ),
    Table(
        name="profile_baselines",
        columns={"person_id": "int", "log_id": "int", "body": "blob"},
        subject="person",
        purpose="personalize",
        retention="profile",
    ),
    Table(
        name="consents",
        columns={
            "consent_id": "id",
            "person_id": "int",
            "purpose": "text",
            "is_granted": "int",
            "time_ms": "int",
            "received_ms": "int",
            "message_id": "text",
            "source": "text",
            "proof": "text",
        },
        indexes=(("person_id",),),
        subject="person",
        retention="profile",
        draws_ids=True,
    ),
    # -- the log -------------------------------------------------------------------------------------------------------
    Table(
        name="events",
        columns={
            "log_id": "id",
            "person_id": "int",
            "kind": "text",
            "time_ms": "int",
            "received_ms": "int",
            "name": "text",
            "purposes": "int",
            "is_bot": "int",
            "fold_version": "int",
            "source": "text",
            "message_key": "blob?",
            "body": "blob",
        },
        indexes=(("person_id", "log_id"),),
        subject="person",
        purpose="personalize",
        retention="log",
        draws_ids=True,
    ),
    Table(name="message_ids", columns={"message_key": "blob", "day": "int"}, is_clustered=True, retention="log"),
    Table(
        name="rejected",
        columns={
            "reject_id": "id",
            "received_ms": "int",
            "source": "text",
            "reason": "text",
            "detail": "text",
            "line_number": "int",
            "body": "blob?",
        },
        subject="body",
        retention="short",
        draws_ids=True,
    ),
    Table(
        name="gated_counts",
        columns={"day": "int", "source": "text", "name": "text", "reason": "text", "n": "int"},
        n_key=4,
        is_clustered=True,
    ),
    Table(
        name="imports",
        columns={"import_key": "blob", "n_rows": "int", "is_done": "int", "updated_ms": "int"},
    ),
    # -- what is decided -----------------------------------------------------------------------------------------------
    Table(
        name="items",
        columns={
            "item_id": "text",
            "version": "int",
            "updated_ms": "int",
            "is_stub": "int",
            "is_deleted": "int",
            "body": "blob",
        },
        indexes=(("version",),),
        retention="catalogue",
    ),
    Table(
        name="item_counters",
        columns={"item_id": "text", "signal_class": "text", "day": "int", "n": "real"},
        n_key=3,
        indexes=(("day",),),
        is_clustered=True,
        retention="catalogue",
    ),
    Table(
        name="decisions",
        columns={
            "decision_id": "text",
            "time_ms": "int",
            "person_id": "int?",
            "placement": "text",
            "mode": "text",
            "policy": "text",
            "body": "blob",
        },
        indexes=(("person_id",), ("time_ms",), ("placement", "time_ms")),
        subject="person",
        purpose="measure",
        retention="decision",
    ),
    Table(
        name="exposures",
        columns={"decision_id": "text", "item_id": "text", "position": "int", "time_ms": "int", "person_id": "int"},
        n_key=2,
        indexes=(("person_id",),),
        subject="person",
        purpose="measure",
        retention="decision",
        is_clustered=True,
    ),
    Table(
        name="assignments",
        columns={
            "person_id": "int",
            "experiment": "text",
            "variant": "text",
            "first_ms": "int",
            "is_mixed": "int",
        },
        n_key=2,
        indexes=(("experiment",),),
        subject="person",
        purpose="measure",
        retention="profile",
        is_clustered=True,
    ),
    Table(
        name="offer_codes",
        columns={"item_id": "text", "code": "text", "person_id": "int?", "issued_ms": "int?"},
        n_key=2,
        indexes=(("item_id", "issued_ms"), ("person_id",)),
        subject="person",
        retention="profile",
        is_clustered=True,
    ),
    Table(
        name="segment_members",
        columns={"segment": "text", "person_id": "int", "since_ms": "int", "is_member": "int", "flips_at_ms": "int?"},
        n_key=2,
        indexes=(("flips_at_ms",), ("person_id",)),
        subject="person",
        purpose="personalize",
        retention="profile",
        is_clustered=True,
    ),
    Table(
        name="segment_moves",
        columns={
            "move_id": "id",
            "person_id": "int",
            "segment": "text",
            "is_member": "int",
            "time_ms": "int",
            "log_id": "int",
        },
        indexes=(("person_id",),),
        subject="person",
        purpose="personalize",
        retention="log",
        draws_ids=True,
    ),
    # -- running it ----------------------------------------------------------------------------------------------------
    Table(
        name="models",
        columns={
            "version": "id",
            "name": "text",
            "state": "text",
            "created_ms": "int",
            "blob_key": "text",
            "header": "blob",
        },
        indexes=(("name", "state"),),
        draws_ids=True,
    ),
    Table(
        name="lake_files",
        columns={
            "file_id": "id",
            "dataset": "text",
            "day": "int",
            "last_day": "int",
            "bucket": "int",
            "blob_key": "text",
            "n_rows": "int",
            "n_bytes": "int",
            "first_log_id": "int",
            "last_log_id": "int",
            "state": "text",
            "created_ms": "int",
        },
        indexes=(("dataset", "state"),),
        draws_ids=True,
    ),
    Table(name="cursors", columns={"name": "text", "position": "int"}),
    Table(
        name="config_versions",
        columns={"version": "id", "created_ms": "int", "author": "text", "digest": "text", "body": "text"},
        draws_ids=True,
    ),
    Table(
        name="audit",
        columns={"audit_id": "id", "time_ms": "int", "actor": "text", "action": "text", "detail": "text"},
        retention="ledger",
        draws_ids=True,
    ),
    Table(
        name="jobs",
        columns={
            "name": "text",
            "state": "text",
            "owner": "text",
            "lease_until_ms": "int",
            "fence": "int",
            "due_ms": "int",
            "started_ms": "int",
            "finished_ms": "int",
            "cursor": "text",
            "note": "text",
        },
    ),
)

INTERNAL: tuple[Table, ...] = (
    Table(name="schema_steps", columns={"number": "int", "phase": "text"}, n_key=2, is_clustered=True),
    Table(name="drawn_ids", columns={"name": "text", "last": "int"}, is_clustered=True),
)
"""The stores' own book-keeping, no person's data: migration steps done, the highest id drawn of each table (SQLite)."""

BY_NAME = {table.name: table for table in TABLES}
