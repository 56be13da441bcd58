"""Named checks of a project's settings and data: what `bespeak doctor` runs. One small function each.

project     SQLite, configuration, models, lake
intake      rejects, clocks, consent categories, event names, bots
catalogue   titles, prices, stubs, currencies, attribute types, markets, filters, placements, pins, actions
profiles    live profiles against what holds now, and against their log
finding     what a check finds
tastes      drift: the day on which the past stopped telling what people turn to
"""

from __future__ import annotations

from collections.abc import Callable

from bespeak.engine.checks import catalogue, intake, profiles, project, tastes
from bespeak.engine.checks.finding import FAIL, PASS, WARN, Check, Finding
from bespeak.engine.core import Core
from bespeak.errors import BespeakError

__all__ = ["CHECKS", "FAIL", "PASS", "WARN", "Check", "Finding", "run_checks"]

CHECKS: tuple[Check, ...] = (
    project.sqlite_version,
    project.configuration,
    intake.rejects,
    intake.clocks,
    intake.consent_categories,
    intake.event_names,
    intake.bots,
    catalogue.titles,
    catalogue.prices,
    catalogue.stubs,
    catalogue.currencies,
    catalogue.attribute_types,
    catalogue.markets,
    catalogue.filters,
    catalogue.placements,
    catalogue.pins,
    catalogue.actions,
    project.model_age,
    project.item_index,
    project.lake_lag,
    profiles.refolded_profiles,
    profiles.rebuilt_profiles,
    tastes.drift,
)
"""All checks, in the order in which they are shown."""


def run_checks(core: Core, progress: Callable[[str, float], None] | None = None) -> list[Finding]:
    """Runs every check; one that cannot be carried out is a failure of its own and stops no other."""
    found: list[Finding] = []
    for place, check in enumerate(CHECKS):
        if progress is not None:
            progress(check.__name__.replace("_", " "), place / len(CHECKS))
        try:
            found.append(check(core))
        except BespeakError as error:
            name = check.__name__.replace("_", " ")
            found.append(Finding(name=name, status=FAIL, message=error.message, n=1, advice=error.hint))
    return found
