"""Which way of folding holds now: a number that rises whenever events would make another profile of the same log.

It rises when half-lives, purposes, facets, roles, limits or the mapping of events to signals change, and when a release
folds differently (`FOLD_REVISION`). A changed weight changes nothing that is kept. Profiles and log rows keep the
number that they were folded under; `engine.refolding.refold` brings the older ones up to date.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from bespeak.engine.config import Configuration
from bespeak.profiles.settings import FOLD_REVISION, FoldSettings
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import records

SETTING = "fold"


class FoldVersion(msgspec.Struct, frozen=True):
    """The number that holds, and a digest of what it stands for."""

    version: int
    digest: str


def fold_settings(config: Configuration, version: int) -> FoldSettings:
    """Returns what profiles keep under a configuration."""
    profiles = config.settings.profiles
    return FoldSettings(
        classes=config.signals.classes,
        facets=tuple(profiles.facets),
        numeric_facets=tuple(profiles.numeric_facets),
        session_gap_minutes=profiles.session_gap_minutes,
        fold_version=version,
    )


def visit_sources(config: Configuration) -> frozenset[str]:
    """Returns the sources whose events a person did on the site; events of others make no sessions."""
    return frozenset(name for name, source in config.settings.sources.items() if source.kind != "import")


def fold_digest(config: Configuration) -> str:
    """Returns a hash of everything that decides what events make of a profile, but for the kind of their source."""
    fold = fold_settings(config, 0)
    parts = [
        FOLD_REVISION,
        sorted((name, c.half_life_days, c.purpose) for name, c in fold.classes.items()),
        # In order: it is the order in which a profile meets them.
        (fold.facets, fold.numeric_facets, fold.session_gap_ms, sorted(fold.roles.items())),
        (sorted(fold.recent_classes), sorted(vars(fold.limits).items()), fold.profile_purpose),
        config.signals.mapping(),
    ]
    return blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=16).hexdigest()


def current(session: Session) -> FoldVersion | None:
    """Returns what holds in the project, or None before the first configuration."""
    raw = records.setting(session, SETTING)
    return msgspec.json.decode(raw, type=FoldVersion) if raw else None


def version_of(session: Session, config: Configuration) -> int:
    """Returns the number to fold with under a configuration.

    A process that has not yet taken over the newest configuration folds under the number before: what it writes is then
    known to be out of date.
    """
    held = current(session)
    if held is None:
        return 1
    return held.version if held.digest == fold_digest(config) else held.version - 1


def settle(tx: Transaction, config: Configuration, before: Configuration | None = None) -> None:
    """Raises the number if a configuration that becomes active folds otherwise than what held.

    Args:
        before: the configuration that was active; it tells whether a source that has sent events counts as visits no
            longer, or does now. A new source changes nothing that was folded.
    """
    held = current(tx)
    digest = fold_digest(config)
    is_same = held is not None and held.digest == digest
    if before is not None and is_same:
        is_same = visit_sources(before) == visit_sources(config) & before.settings.sources.keys()
    if is_same:
        return
    version = held.version + 1 if held is not None else 1 + (records.current_config(tx) is not None)
    records.put_setting(tx, SETTING, msgspec.json.encode(FoldVersion(version, digest)))
