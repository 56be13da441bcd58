"""Policies as versions: every change of a placement's settings is one, and any of them can be made to decide again.

A version is its settings: settings that come back are the version they were. Arms of experiments and shadows are
versions too. What decides at a placement is the active configuration's version, unless somebody went back to an older
one; that holds until other settings of the placement are applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bespeak.decide.settings.placements import Placement, varied
from bespeak.decide.trial import Policy, Rollout
from bespeak.decide.variants.settings import VariantPlacement, variants_from, varied_variant
from bespeak.decide.variants.when import Names
from bespeak.engine.config import Configuration
from bespeak.errors import ConfigError, InvalidInput, UnknownName
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.tables import records

POLICIES = "policies"
"""Name of the setting that holds what decides, and of the version counter that tells of a change."""

VERSIONS = "policy_versions"
LATEST = 10_000
"""Decisions that a look at a shadow reads."""

KEPT = 200
"""Versions of one placement that are kept with their settings; the oldest go first."""


_NO_NAMES = Names()


class PolicyVersion(msgspec.Struct, frozen=True):
    """What decides at a placement.

    Attributes:
        version: of the active configuration's settings; digest: of these settings.
        before: the version that the newest one is rolled out from; 0 for none.
        back_to: the version that somebody went back to; 0 for none.
    """

    version: int
    digest: str
    before: int = 0
    back_to: int = 0


class StoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version.

    Attributes:
        settings: of the placement, as plain values.
        author: who brought it; what_for: `placement`, `shadow`, or the experiment and arm it was made for.
    """

    version: int
    digest: str
    created_ms: int
    author: str
    what_for: str
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Versions:
    """All versions of all placements, and which decide."""

    deciding: Mapping[str, PolicyVersion]
    stored: Mapping[str, list[StoredVersion]]

    @classmethod
    def read(cls, session: Session) -> Versions:
        """Returns what a store holds."""
        deciding, stored = records.setting(session, POLICIES), records.setting(session, VERSIONS)
        return cls(
            msgspec.json.decode(deciding, type=dict[str, PolicyVersion]) if deciding else {},
            msgspec.json.decode(stored, type=dict[str, list[StoredVersion]]) if stored else {},
        )

    def number(self, placement: str) -> int:
        """Returns the version that decides at a placement; 1 where none is known."""
        held = self.deciding.get(placement)
        return 1 if held is None else held.back_to or held.version

    def settings(self, placement: str, version: int, names: Names = _NO_NAMES) -> Placement | VariantPlacement | None:
        """Returns a version's settings; None where they are not kept, or cannot be read any more.

        Args:
            placement: its name.
            version: of its settings.
            names: what rules of variants may name now.
        """
        for stored in self.stored.get(placement, ()):
            if stored.version == version:
                try:
                    if "variants" in stored.settings:
                        return variants_from({placement: stored.settings}, names)[placement]
                    return msgspec.convert(stored.settings, Placement)
                except (msgspec.ValidationError, ConfigError):
                    return None
        return None

    def named(self, placement: Placement | VariantPlacement) -> Policy:
        """Returns settings as the version that they are."""
        digest = placement.digest()
        known = {stored.digest: stored.version for stored in self.stored.get(placement.name, ())}
        held = self.deciding.get(placement.name)
        if held is not None:
            known.setdefault(held.digest, held.version)
        return Policy(f"{placement.name}@{known.get(digest, 0)}", placement)

    def changed_ms(self, placement: str, policy: str, what_for: str, *, since_ms: int, until_ms: int) -> int | None:
        """Returns when what decides somewhere was last changed between two times; None where it was not.

        Args:
            placement: its name.
            policy: the version that decides there now, as `named` says it.
            what_for: what its versions were made for.
            since_ms, until_ms: changes after the one and before the other count.
        """
        later = [
            stored.created_ms
            for stored in self.stored.get(placement, ())
            if since_ms < stored.created_ms < until_ms
            and (stored.what_for == what_for or f"{placement}@{stored.version}" == policy)
        ]
        return max(later, default=None)

    def places(
        self, active: Mapping[str, Placement | VariantPlacement], names: Names
    ) -> dict[str, Placement | VariantPlacement]:
        """Returns the placements as they decide: an older version where somebody went back to it."""
        found = dict(active)
        for name, held in self.deciding.items():
            if name in active and held.back_to:
                older = self.settings(name, held.back_to, names)
                if type(older) is type(active[name]) and older is not None:
                    found[name] = older.in_place_of(active[name].launch, active[name].holdout)
        return found

    def rollouts(self, active: Mapping[str, Placement | VariantPlacement], names: Names) -> dict[str, Rollout]:
        """Returns the placements whose newest policy only some people get yet."""
        found = {}
        for name, held in self.deciding.items():
            if name in active and active[name].rollout < 1 and held.before and not held.back_to:
                before = self.settings(name, held.before, names)
                if type(before) is type(active[name]) and before is not None:
                    found[name] = Rollout(active[name].rollout, Policy(f"{name}@{held.before}", before))
        return found


def arm_of(experiment: str, variant: str) -> str:
    """Returns what a version was made for that decides in an arm of an experiment."""
    return f"{experiment}: {variant}"


def shadows_of(config: Configuration) -> Iterator[Placement | VariantPlacement]:
    """Yields the settings of what decides beside, named as its placement."""
    for name, placement in config.placements.items():
        if placement.shadow:
            yield varied(placement, placement.shadow, f"placements.{name}.shadow")
    for name, variants in config.variants.items():
        if variants.settings.shadow:
            yield varied_variant(variants, variants.settings.shadow, config.names, f"placements.{name}.shadow")


def number_policies(
    tx: Transaction,
    placements: Mapping[str, Placement | VariantPlacement],
    beside: Iterable[tuple[str, Placement | VariantPlacement]],
    now_ms: int,
    author: str,
) -> None:
    """Gives every policy of a configuration its version.

    Args:
        placements: what decides, by name.
        beside: (what for, settings) of arms of experiments and of shadows.
        author: who brought them.
    """
    held = Versions.read(tx)
    book = _Book(dict(held.deciding), {name: list(found) for name, found in held.stored.items()}, now_ms, author)
    for name, placement in placements.items():
        book.decide(name, placement)
    for what_for, placement in beside:
        book.number(placement, what_for)
    records.put_setting(tx, POLICIES, msgspec.json.encode(book.deciding))
    records.put_setting(tx, VERSIONS, msgspec.json.encode(book.stored))
    records.bump(tx, POLICIES)


@dataclass
class _Book:
    """Versions while a configuration is made the active one."""

    deciding: dict[str, PolicyVersion]
    stored: dict[str, list[StoredVersion]]
    now_ms: int
    author: str

    def decide(self, name: str, placement: Placement | VariantPlacement) -> None:
        digest, known = placement.digest(), self.deciding.get(name)
        version = self.number(placement, "placement")
        is_same = known is not None and known.digest == digest
        before = 0
        if placement.rollout < 1 and known is not None:
            # A roll-out that changes on its way still starts from what everybody had.
            before = known.before if known.before or is_same else known.back_to or known.version
        back_to = known.back_to if known is not None and is_same else 0
        self.deciding[name] = PolicyVersion(version, digest, 0 if before == version else before, back_to)

    def number(self, placement: Placement | VariantPlacement, what_for: str) -> int:
        digest, name = placement.digest(), placement.name
        stored = self.stored.setdefault(name, [])
        for one in stored:
            if one.digest == digest:
                return one.version
        known = self.deciding.get(name)
        if known is not None and known.digest == digest:
            version = known.version  # numbered by a release that kept no settings
        else:
            version = max([one.version for one in stored] + [known.version if known else 0]) + 1
        stored.append(
            StoredVersion(
                version=version,
                digest=digest,
                created_ms=self.now_ms,
                author=self.author,
                what_for=what_for,
                settings=msgspec.to_builtins(placement if isinstance(placement, Placement) else placement.settings),
            )
        )
        del stored[:-KEPT]
        return version


class PolicyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version, as a list shows it.

    Attributes:
        state: `decides`; `configured` where somebody went back to another; `rolled out from`; or empty.
    """

    placement: str
    version: int
    state: str
    what_for: str
    created_ms: int
    author: str


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a placement shows beside what its shadow would show.

    Attributes:
        policies: (shown, shadow) that were met.
        n_decisions: of the latest `LATEST` of the project, those with a shadow here.
        shared: share of the shown items that the shadow would show too; same_first: share of slates that begin alike.
    """

    placement: str
    policies: list[tuple[str, str]]
    n_decisions: int
    shared: float | None
    same_first: float | None


class Policies:
    """The versions of a project's policies.

    Args:
        store: where they are kept.
        names: tells what rules of variants may name now.
    """

    def __init__(self, store: Store, names: Callable[[], Names]) -> None:
        self._store = store
        self._names = names

    def versions(self) -> Versions:
        """Returns all versions and which decide."""
        with self._store.read() as session:
            return Versions.read(session)

    def rows(self, placement: str = "") -> list[PolicyRow]:
        """Returns the versions of all placements or of one, the newest first.

        Raises:
            UnknownName: there is no such placement.
        """
        held = self.versions()
        if placement and placement not in held.deciding:
            raise UnknownName("placement", placement, sorted(held.deciding))
        return [
            PolicyRow(
                placement=name,
                version=stored.version,
                state=_state(held.deciding[name], stored.version),
                what_for=stored.what_for,
                created_ms=stored.created_ms,
                author=stored.author,
            )
            for name in sorted(held.deciding)
            for stored in reversed(held.stored.get(name, []))
            if placement in ("", name)
        ]

    def shadow(self, placement: str) -> ShadowReport:
        """Returns how alike what a placement shows and what its shadow would show are, over the latest decisions.

        Raises:
            UnknownName: there is no such placement.
        """
        with self._store.read() as session:
            known = Versions.read(session).deciding
            latest = records.decisions(session, 0, LATEST)
        if placement not in known:
            raise UnknownName("placement", placement, sorted(known))
        both = [found for found in latest if found.placement == placement and found.shadow and found.items]
        shares, firsts = [], []
        for found in both:
            shown, would = [item.item_id for item in found.items], [item_id for item_id, _ in found.shadow]
            shares.append(len(set(shown) & set(would)) / len(shown))
            firsts.append(shown[0] == would[0])
        n = len(both)
        return ShadowReport(
            placement=placement,
            policies=sorted({(found.policy, found.shadow_policy) for found in both}),
            n_decisions=n,
            shared=sum(shares) / n if n else None,
            same_first=sum(firsts) / n if n else None,
        )

    def roll_back(self, placement: str, version: int, now_ms: int, actor: str) -> None:
        """Makes an older version decide; running servers take it over within a second.

        It holds until other settings of the placement are applied, or until the active configuration's own version is
        asked for.

        Raises:
            UnknownName: there is no such placement or version.
            InvalidInput: the version's settings are not kept any more.
        """
        with self._store.write() as tx:
            tx.lock_keys(["config"])
            held = Versions.read(tx)
            if placement not in held.deciding:
                raise UnknownName("placement", placement, sorted(held.deciding))
            now = held.deciding[placement]
            known = {stored.version for stored in held.stored.get(placement, ())} | {now.version}
            if version not in known:
                raise UnknownName(f"version of {placement}", str(version), [str(one) for one in sorted(known)])
            if version != now.version and held.settings(placement, version, self._names()) is None:
                raise InvalidInput(
                    f"The settings of {placement}@{version} cannot be used again.",
                    hint="They are too old, or name what is gone. Write the settings into bespeak.toml and apply it.",
                )
            back_to = 0 if version == now.version else version
            deciding = {**held.deciding, placement: msgspec.structs.replace(now, back_to=back_to)}
            records.put_setting(tx, POLICIES, msgspec.json.encode(deciding))
            records.bump(tx, POLICIES)
            records.add_audit(tx, now_ms, actor, "policy", f"{placement}@{version} decides")


def _state(deciding: PolicyVersion, version: int) -> str:
    if version == (deciding.back_to or deciding.version):
        return "decides"
    if version == deciding.version:
        return "configured"
    return "rolled out from" if version == deciding.before else ""
