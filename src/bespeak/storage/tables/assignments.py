"""Who was first assigned to which variant of an experiment: the first word holds, also when two persons become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bespeak.storage.base import Row, Session, Transaction
from bespeak.storage.tables.rows import as_int

_COLUMNS = ("person_id", "experiment", "variant", "first_ms", "is_mixed")


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One person in one experiment.

    Attributes:
        first_ms: when they were first shown something under it.
        is_mixed: whether persons of different variants became one: they saw more than this variant.
    """

    person: int
    experiment: str
    variant: str
    first_ms: int
    is_mixed: bool = False


def assign(tx: Transaction, assignments: Iterable[Assignment]) -> None:
    """Records assignments; who has one in that experiment keeps it."""
    tx.insert("assignments", _COLUMNS, [_row(a) for a in assignments], on_conflict="ignore")


def variant_of(session: Session, person: int, experiment: str) -> str | None:
    """Returns the variant that a person was first assigned to, or None."""
    row = session.row("SELECT variant FROM assignments WHERE person_id = ? AND experiment = ?", (person, experiment))
    return str(row[0]) if row else None


def merge(tx: Transaction, root: int, absorbed: int) -> None:
    """Gives the root what the absorbed person had: in each experiment the earliest assignment holds."""
    held = {a.experiment: a for a in assignments_of(tx, [root])}
    for taken in assignments_of(tx, [absorbed]):
        own = held.get(taken.experiment, taken)
        first = min(own, taken, key=lambda a: (a.first_ms, a.variant))
        is_mixed = own.is_mixed or taken.is_mixed or own.variant != taken.variant
        joined = msgspec.structs.replace(first, person=root, is_mixed=is_mixed)
        tx.insert("assignments", _COLUMNS, [_row(joined)], on_conflict="replace")
    tx.run("DELETE FROM assignments WHERE person_id = ?", (absorbed,))


def assignments_of(session: Session, people: Iterable[int]) -> list[Assignment]:
    """Returns the assignments of these persons, by experiment."""
    rows = session.lookup("assignments", _COLUMNS, ("person_id",), [(p,) for p in people])
    return sorted(map(_assignment, rows), key=lambda a: (a.experiment, a.first_ms))


def assigned_to(session: Session, experiment: str) -> list[Assignment]:
    """Returns everybody in an experiment, by person."""
    return [_assignment(row) for row in session.rows(
        "SELECT person_id, experiment, variant, first_ms, is_mixed FROM assignments WHERE experiment = ? "
        "ORDER BY person_id", (experiment,))]  # fmt: skip


def units(session: Session, experiment: str) -> list[Row]:
    """Returns (person, variant, first_ms, 1 if mixed, when the person was first seen) of everybody, by person.

    The rows are as the store gives them: a report reads those of hundreds of thousands of people as columns.
    """
    return session.rows(
        "SELECT a.person_id, a.variant, a.first_ms, a.is_mixed, p.created_ms FROM assignments a "
        "JOIN persons p ON p.person_id = a.person_id WHERE a.experiment = ? ORDER BY a.person_id",
        (experiment,),
    )


def _row(assignment: Assignment) -> Sequence[str | int]:
    return (assignment.person, assignment.experiment, assignment.variant, assignment.first_ms, int(assignment.is_mixed))


def _assignment(row: Row) -> Assignment:
    return Assignment(
        person=as_int(row[0]),
        experiment=str(row[1]),
        variant=str(row[2]),
        first_ms=as_int(row[3]),
        is_mixed=bool(row[4]),
    )


def sizes(session: Session) -> dict[str, int]:
    """Returns experiment -> how many people were assigned to it."""
    rows = session.rows("SELECT experiment, count(*) FROM assignments GROUP BY experiment")
    return {str(row[0]): as_int(row[1]) for row in rows}


def experiments(session: Session) -> list[str]:
    """Returns the experiments that anybody was assigned to, in order of name."""
    return [str(row[0]) for row in session.rows("SELECT DISTINCT experiment FROM assignments ORDER BY experiment")]
