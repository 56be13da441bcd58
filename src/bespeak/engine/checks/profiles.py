"""Checks that profiles are what their log says, and that what they were folded under still holds."""

from __future__ import annotations

from bespeak.engine.checks.finding import FAIL, WARN, Finding, passed
from bespeak.engine.core import Core
from bespeak.engine.profiles import Profiles
from bespeak.engine.refolding.refold import standing
from bespeak.profiles.codec import encode
from bespeak.storage.tables.rows import as_int

SAMPLE = 50


def refolded_profiles(core: Core) -> Finding:
    """Every profile was folded under the half-lives, facets, signals and items that hold now."""
    name = "profiles up to date"
    found = standing(core)
    if found.is_current:
        return passed(name, f"all {found.n_people:,}")
    return Finding(
        name=name,
        status=WARN,
        message=f"{found.n_left:,} of {found.n_people:,} wait to be folded anew",
        n=found.n_left,
        advice="`bespeak serve` or `bespeak work` folds them in the background.",
    )


def rebuilt_profiles(core: Core) -> Finding:
    """Live profiles equal, byte for byte, what a replay of the log gives: a sample spread over all persons."""
    name = "profiles equal their log"
    with core.store.read() as session:
        persons = [as_int(row[0]) for row in session.rows("SELECT person_id FROM profiles ORDER BY person_id")]
    if not persons:
        return passed(name, "nobody is known yet")
    n = min(SAMPLE, len(persons))
    sample = [persons[place * len(persons) // n] for place in range(n)]
    profiles = Profiles(core)
    version = core.runtime.observer.fold_settings.fold_version
    differing = n_waiting = 0
    for person in sample:
        live = profiles.of(person)
        if live is None or live.fold_version < version:
            n_waiting += 1  # it is what an older configuration made of its log
        elif encode(live) != encode(profiles.rebuilt(person)):
            differing += 1
    if not differing:
        return passed(name, f"{n - n_waiting:,} of {len(persons):,} looked at")
    return Finding(
        name=name,
        status=FAIL,
        message=f"{differing:,} of {n - n_waiting:,} differ",
        n=differing,
        advice="Please report it. `engine.profiles.rebuild(persons)` makes them anew from the log.",
    )
