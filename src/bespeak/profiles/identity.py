"""Which person an event belongs to, which ids it links and which people it shows to be one.

Pure planning: the engine looks up what the ids resolve to (`lookup_ids`), `plan` decides, the engine writes. The rules:

- A blocked value ("null", "0000") identifies nobody.
- A *vouched* event (server source, import, valid person token) links all its ids to one person.
- Two different user ids never become one person through something they share. The event goes to its user; the shared
  id is moved to a fresh device person of its own, marked shared, and never links again.
- `alias` links a previous id and a user id on purpose, up to a limit; an alias to itself is an ordinary event.
- Of each kind a person has a limited number; an id or a merge beyond it does not link, and the plan says so.
- A browser's event goes to the device's person. The user id it names is recorded as a claim, and links nothing.
  Claims are never confirmed by an event that does not carry the device's id as well: else whoever claims a name
  would be given it.
- A household profile is its own person, under the account, and never merges into the account or with the device. Before
  the account is confirmed it is kept per device.
- The root of a merge is the person with a user id, else the smallest surrogate id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set

import msgspec

from bespeak.errors import EventRejected
from bespeak.signals.events import Event
from bespeak.signals.ids import ANONYMOUS_ID, DEVICE_PROFILE_ID, PROFILE_ID, SEPARATOR, USER_ID, IdKey, is_blocked

OWNERS = (USER_ID, PROFILE_ID)
"""Kinds that tell whose a person is: two different values are two different people."""

DEVICES = (ANONYMOUS_ID, DEVICE_PROFILE_ID)
"""Kinds that name the device an event came from."""

NEW = 0
"""Stands for a person still to be made. Negative numbers stand for further new ones: device people."""


class IdentityLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many ids of a kind one person has.

    Attributes:
        n_user_ids: reached only by alias; without it a person has one.
        n_others: of each other kind.
        n_claims: claims recorded of one device's person.
    """

    n_user_ids: int = 5
    n_others: int = 10
    n_claims: int = 20


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the store knows them now.

    Attributes:
        counts: kind -> linked ids.
        user_ids: their linked user ids.
        claims: ids already claimed by this person's devices.
    """

    counts: Mapping[str, int] = {}
    user_ids: frozenset[str] = frozenset()
    claims: frozenset[IdKey] = frozenset()

    @property
    def has_owner(self) -> bool:
        """True when they are known by name: as a user, or as a profile of a household."""
        return bool(self.user_ids) or PROFILE_ID in self.counts

    @classmethod
    def of(cls, keys: Iterable[IdKey], claims: Iterable[IdKey] = ()) -> Group:
        """Returns the group of a person with these linked ids."""
        keys = tuple(keys)
        return cls(
            counts=Counter(key.kind for key in keys),
            user_ids=frozenset(key.value for key in keys if key.kind == USER_ID),
            claims=frozenset(claims),
        )


class Link(msgspec.Struct, frozen=True):
    """An id and the person it leads to from now on, replacing where it led before.

    Attributes:
        person: surrogate id, or `NEW` or a negative placeholder.
        is_shared: people share it; from now on it leads to its device person and links nothing.
    """

    key: IdKey
    person: int
    is_shared: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one event does to identities.

    Attributes:
        person: whom the event belongs to, after the merges; `NEW` for a person to be made.
        ids: the event's ids that belong to this person, for `Observation.ids`.
        new_links: links to write. Equal placeholders mean the same new person.
        root: the person that stays when people merge, else None.
        absorbed: people who merge into `root`, ascending; also whoever was merged into them before.
        claims: ids that the event claims for `person` without proof.
        is_shared_device: the event came from, or revealed, an id that several people share.
        note: why something was not linked: `shared_id`, `group_full`, `alias_full`, `claims_full`, or "".
    """

    person: int
    ids: tuple[IdKey, ...] = ()
    new_links: tuple[Link, ...] = ()
    root: int | None = None
    absorbed: tuple[int, ...] = ()
    claims: tuple[IdKey, ...] = ()
    is_shared_device: bool = False
    note: str = ""


def lookup_ids(event: Event) -> list[IdKey]:
    """Returns every id whose link `plan` wants to know, blocked ones left out, the strongest first."""
    keys = _own_ids(event)
    if event.type == "alias" and event.previous_id and event.previous_id != event.user_id:
        keys += [IdKey(USER_ID, event.previous_id), IdKey(ANONYMOUS_ID, event.previous_id)]
    return [key for key in dict.fromkeys(keys) if not _is_blocked(key)]


def plan(
    event: Event,
    linked: Mapping[IdKey, int],
    groups: Mapping[int, Group],
    shared: Set[IdKey] = frozenset(),
    limits: IdentityLimits = IdentityLimits(),  # noqa: B008 - frozen
) -> Plan:
    """Decides what an event does to identities.

    Args:
        event: with `is_vouched` as the source and its token say.
        linked: those of `lookup_ids(event)` that are linked, each to its root person.
        groups: the people in `linked`.
        shared: those of the ids that are marked shared.
        limits: how many ids one person has.

    Raises:
        EventRejected: `missing_id` when no id identifies anybody, `unconfirmed_id` when a browser sent nothing but
            ids that it cannot prove.

    Example:
        >>> login = Event(message_id="m", type="identify", time_ms=0, received_ms=0, user_id="u1", anonymous_id="a1",
        ...               is_vouched=True)
        >>> plan(login, {IdKey("anonymous_id", "a1"): 7}, {7: Group(counts={"anonymous_id": 1})}).new_links
        (Link(key=IdKey(kind='user_id', value='u1'), person=7, is_shared=False),)
    """
    own = [key for key in _own_ids(event) if not _is_blocked(key)]
    if event.is_vouched:
        if not own:
            raise _missing_id()
        planner = _Planner(linked, groups, shared, limits)
        planner.alias(event)
        for key in own:
            planner.take(key)
        return planner.result()
    device = _device_of(event, own)
    person = linked.get(device, NEW)
    if device in shared:
        return Plan(person=person, ids=(device,), is_shared_device=True, note="shared_id")
    named = [key for key in own if key != device and (not person or linked.get(key) != person)]
    return _plan_claimed(device, person, named, groups[person] if person else Group(), limits)


def _own_ids(event: Event) -> list[IdKey]:
    """Returns the ids that name whom the event is about; a household profile is named by itself alone."""
    if not event.profile_id or is_blocked(event.profile_id):
        keys = [IdKey(USER_ID, event.user_id)] if event.user_id else []
        keys += [key for key in event.external_ids if key.kind not in (PROFILE_ID, DEVICE_PROFILE_ID)]
        return [*keys, IdKey(ANONYMOUS_ID, event.anonymous_id)] if event.anonymous_id else keys
    keys = []
    if event.user_id and not is_blocked(event.user_id):
        keys.append(IdKey(PROFILE_ID, f"{event.user_id}{SEPARATOR}{event.profile_id}"))
    if event.anonymous_id and not is_blocked(event.anonymous_id):
        keys.append(IdKey(DEVICE_PROFILE_ID, f"{event.anonymous_id}{SEPARATOR}{event.profile_id}"))
    return keys


def _is_blocked(key: IdKey) -> bool:
    """A joined value is never blocked: its parts were looked at one by one."""
    return key.kind not in (PROFILE_ID, DEVICE_PROFILE_ID) and is_blocked(key.value)


def _missing_id() -> EventRejected:
    return EventRejected(
        "No id of the event identifies a person.", hint="Send userId or anonymousId.", code="missing_id"
    )


def _device_of(event: Event, own: list[IdKey]) -> IdKey:
    """Returns the id of the device that an event without proof came from."""
    for key in own:
        if key.kind in DEVICES:
            return key
    if event.type == "alias" and event.previous_id and not is_blocked(event.previous_id):
        return IdKey(ANONYMOUS_ID, event.previous_id)
    if not own:
        raise _missing_id()
    raise EventRejected(
        "A browser's event named a person without proof.",
        hint="Send anonymousId as well, or a person token, or send it from a server source.",
        code="unconfirmed_id",
    )


def _plan_claimed(device: IdKey, person: int, named: list[IdKey], group: Group, limits: IdentityLimits) -> Plan:
    """A browser's event: the device's person, and claims for the ids that it only names."""
    if group.has_owner and any(key.kind in OWNERS for key in named):
        # The device is somebody else's by proof: from here on its events belong to nobody but the device.
        moved = Link(device, NEW, is_shared=True)
        return Plan(person=NEW, ids=(device,), new_links=(moved,), is_shared_device=True, note="shared_id")
    links = () if person else (Link(device, NEW),)
    claims = tuple(key for key in named if key not in group.claims)
    if len(group.claims) + len(claims) > limits.n_claims:
        return Plan(person=person, ids=(device,), new_links=links, note="claims_full")
    return Plan(person=person, ids=(device,), new_links=links, claims=claims)


class _Planner:
    """Gathers the ids of one vouched event, the strongest first, into one group."""

    def __init__(
        self,
        linked: Mapping[IdKey, int],
        groups: Mapping[int, Group],
        shared: Set[IdKey],
        limits: IdentityLimits,
    ) -> None:
        self._linked, self._groups, self._shared, self._limits = linked, groups, shared, limits
        self._people: list[int] = []
        self._counts: dict[str, int] = {}
        self._has_owner = False
        self._ids: list[IdKey] = []
        self._unlinked: list[IdKey] = []
        self._detached: list[IdKey] = []
        self._shared_seen: list[IdKey] = []
        self._notes: list[str] = []
        self._is_alias = False

    def alias(self, event: Event) -> None:
        """Takes the previous id of an alias: on purpose, so across user ids."""
        previous, user_id = event.previous_id, event.user_id
        if event.type != "alias" or not previous or not user_id or previous == user_id or event.profile_id:
            return
        if is_blocked(previous) or is_blocked(user_id):
            return
        by_user, by_device = IdKey(USER_ID, previous), IdKey(ANONYMOUS_ID, previous)
        self.take(IdKey(USER_ID, user_id))
        self._is_alias = True
        if by_user not in self._linked and by_device in self._linked:
            self.take(by_device)
        else:
            self.take(by_user)
            if by_user not in self._linked:  # seen never before: it may turn out to be either
                self.take(by_device)
        self._is_alias = False

    def take(self, key: IdKey) -> None:
        """Adds one id: links it, merges its person, moves it away as shared, or leaves it out as too many."""
        if key in self._ids or key in self._unlinked or key in self._detached or key in self._shared_seen:
            return
        if key in self._shared:
            self._shared_seen.append(key)
            return
        person = self._linked.get(key)
        if person is None:
            self._take_unlinked(key)
        elif person in self._people:
            self._ids.append(key)
        else:
            self._take_person(key, person)

    def _take_unlinked(self, key: IdKey) -> None:
        if key.kind in OWNERS and self._has_owner and not self._is_alias:
            self._notes.append("group_full")
            return
        if self._counts.get(key.kind, 0) >= self._limit(key.kind):
            self._notes.append("alias_full" if self._is_alias else "group_full")
            return
        self._counts[key.kind] = self._counts.get(key.kind, 0) + 1
        self._has_owner = self._has_owner or key.kind in OWNERS
        self._unlinked.append(key)
        self._ids.append(key)

    def _take_person(self, key: IdKey, person: int) -> None:
        group = self._groups[person]
        if self._has_owner and group.has_owner and not self._is_alias:
            # One id leads to one person, so this person's owner is another one.
            if key.kind not in OWNERS:
                self._detached.append(key)
                self._notes.append("shared_id")
            return
        joined = {kind: self._counts.get(kind, 0) + n for kind, n in group.counts.items()}
        if self._people or self._unlinked:
            full = [kind for kind, n in joined.items() if n > self._limit(kind)]
            if full:
                self._notes.append("alias_full" if self._is_alias else "group_full")
                return
        self._counts.update(joined)
        self._has_owner = self._has_owner or group.has_owner
        self._people.append(person)
        self._ids.append(key)

    def _limit(self, kind: str) -> int:
        return self._limits.n_user_ids if kind == USER_ID else self._limits.n_others

    def result(self) -> Plan:
        """Returns the plan for everything taken."""
        note = self._notes[0] if self._notes else ""
        if not self._ids:
            key = self._shared_seen[0]
            return Plan(person=self._linked[key], ids=(key,), is_shared_device=True, note="shared_id")
        with_user = [person for person in self._people if self._groups[person].has_owner]
        root = min(with_user or self._people, default=NEW)
        links = [Link(key, root) for key in self._unlinked]
        first = -1 if root == NEW else NEW
        links += [Link(key, first - position, True) for position, key in enumerate(self._detached)]
        absorbed = tuple(sorted(person for person in self._people if person != root))
        return Plan(
            person=root,
            ids=tuple(self._ids),
            new_links=tuple(links),
            root=root if absorbed else None,
            absorbed=absorbed,
            is_shared_device=bool(self._detached or self._shared_seen),
            note=note or ("shared_id" if self._shared_seen else ""),
        )
