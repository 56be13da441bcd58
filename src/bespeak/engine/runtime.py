"""One configuration at work: everything that is compiled from it, swapped as a whole when another becomes active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.config import FILE_NAME, Configuration, parse_config
from bespeak.engine.folding import fold_version
from bespeak.engine.folding.observe import Observer
from bespeak.engine.trying.policies import arm_of, number_policies, shadows_of
from bespeak.engine.worlds.keeper import WorldKeeper
from bespeak.engine.writing.ingest import Ingest
from bespeak.errors import ConfigError
from bespeak.intake.context import GeoIP
from bespeak.storage.base import Store, Transaction
from bespeak.storage.blobs import Blobs
from bespeak.storage.tables import records


@dataclass(frozen=True, eq=False)
class Runtime:
    """What one configuration version was compiled to."""

    config: Configuration
    config_version: int
    observer: Observer
    ingest: Ingest
    keeper: WorldKeeper
    places: GeoIP | None


def build(
    store: Store,
    blobs: Blobs,
    config: Configuration,
    config_version: int,
    *,
    message_secret: bytes,
    now_ms: Callable[[], int],
) -> Runtime:
    """Compiles a configuration."""
    with store.read() as session:
        version = fold_version.version_of(session, config)
    keeper = WorldKeeper(store, blobs, config, config_version)
    observer = Observer(
        config.signals,
        config.purposes,
        fold_version.fold_settings(config, version),
        visit_sources=fold_version.visit_sources(config),
        predictors=lambda: keeper.predictors,
    )
    ingest = Ingest(
        store,
        config,
        observer,
        message_secret=message_secret,
        facets_of=keeper.facets_of,
        now_ms=now_ms,
    )
    return Runtime(config, config_version, observer, ingest, keeper, open_places(config))


def open_places(config: Configuration) -> GeoIP | None:
    """Opens the database of places that a configuration names, or None.

    Raises:
        ConfigError: it cannot be opened.
    """
    path = config.settings.context.geoip
    try:
        return GeoIP(path) if path else None
    except ConfigError as error:
        message = error.message.removeprefix(f"{error.key}: ")
        raise ConfigError(f"{message} (it is {path!r})", file=FILE_NAME, key="context.geoip", hint=error.hint) from None


def activate(tx: Transaction, config: Configuration, now_ms: int, author: str) -> int:
    """Makes a configuration the active one and numbers the policies whose settings changed; returns its version.

    Raises:
        ConfigError: it would reorder purposes, or names a file that cannot be opened; then nothing is written.
    """
    open_places(config)
    tx.lock_keys(["config"])
    held_config = records.current_config(tx)
    before = None if held_config is None else parse_config(held_config.body)
    if before is not None:
        _check_purposes(before, config)
    fold_version.settle(tx, config, before)
    number_policies(tx, {**config.placements, **config.variants}, _beside(config), now_ms, author)
    return records.add_config(tx, now_ms, author, config.digest(), config.text)


def _beside(config: Configuration) -> Iterator[tuple[str, Placement | VariantPlacement]]:
    """The policies that decide beside those of the placements: arms of experiments, and shadows."""
    for shadow in shadows_of(config):
        yield "shadow", shadow
    for trial in config.trials.values():
        for variant, policy in trial.arms.items():
            if policy is not None:
                yield arm_of(trial.name, variant), policy.settings


def _check_purposes(before: Configuration, after: Configuration) -> None:
    """The order of purposes is part of the data: a project may only append."""
    known = before.purposes.all
    if after.purposes.all[: len(known)] != known:
        raise ConfigError(
            f"purposes may only be appended to {', '.join(known)}.",
            key="consent.purposes",
            hint="Their order is part of the stored data.",
        )
