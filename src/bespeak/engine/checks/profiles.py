"""The check that profiles are what their log says."""

from __future__ import annotations

from bespeak.engine.checks.finding import FAIL, Finding, passed
from bespeak.engine.core import Core
from bespeak.engine.profiles import Profiles
from bespeak.profiles.codec import encode
from bespeak.storage.rows import as_int

SAMPLE = 50


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
    differing = 0
    for person in sample:
        live = profiles.of(person)
        if live is not None and encode(live) != encode(profiles.rebuilt(person)):
            differing += 1
    if not differing:
        return passed(name, f"{n:,} of {len(persons):,} looked at")
    return Finding(
        name=name,
        status=FAIL,
        message=f"{differing:,} of {n:,} differ",
        n=differing,
        advice="A changed signal, facet or half-life refolds with `engine.profiles.rebuild`; else please report it.",
    )
