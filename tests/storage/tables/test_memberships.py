"""Who is in which segment, and their moves, on both stores."""

from __future__ import annotations

from bespeak.storage.tables import memberships
from bespeak.storage.tables.memberships import SegmentMove


def test_members_are_due_when_time_can_flip_them_and_settled_once_looked_at(store):
    rows = [("s", 1, 0, True, 10), ("t", 1, 0, False, 20), ("s", 2, 0, True, None), ("s", 3, 5, True, 11)]
    with store.write() as tx:
        memberships.put_members(tx, rows)
    with store.write() as tx:
        assert memberships.due_members(tx, 10, 5) == [1]
        assert memberships.due_members(tx, 99, 1) == [1]
        assert memberships.due_members(tx, 99, 5) == [1, 3]
        memberships.settle_members(tx, [1], 15)
        assert memberships.due_members(tx, 99, 5) == [1, 3]
        memberships.settle_members(tx, [1, 3], 99)
        assert memberships.due_members(tx, 99, 5) == []
        assert memberships.segment_sizes(tx) == {"s": 3}
        assert memberships.members_of(tx, [1]) == {1: {"s": (True, 0, None), "t": (False, 0, None)}}


def test_segments_that_are_dropped_move_their_members_out(store):
    with store.write() as tx:
        memberships.put_members(tx, [("old", 1, 0, True, None), ("old", 2, 0, False, 5), ("kept", 1, 0, True, None)])
        assert memberships.drop_segments(tx, {"kept"}, 50) == 1
        assert memberships.drop_segments(tx, {"kept"}, 60) == 0
    with store.read() as session:
        assert memberships.segment_sizes(session) == {"kept": 1}
        assert memberships.moves_of(session, [1, 2]) == [
            SegmentMove(person=1, segment="old", is_member=False, time_ms=50)
        ]


def test_moves_of_one_segment_come_in_the_order_of_time(store):
    with store.write() as tx:
        memberships.add_moves(tx, [(1, "keen", True, 10, 1), (2, "other", True, 11, 2), (1, "keen", False, 12, 3)])
    with store.read() as session:
        assert memberships.moves_into(session, "keen") == [(1, 10, True), (1, 12, False)]
