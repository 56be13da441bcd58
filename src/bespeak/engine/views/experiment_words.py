"""What an experiment tells, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bespeak.engine.views.experiment_report import Compared, MetricReport
from bespeak.engine.views.experiment_units import DIFFERS_BELOW
from bespeak.measure.interleaving import MIN_VOTES, Preference
from bespeak.measure.sequential import MIN_CONVERSIONS
from bespeak.signals.counts import counted


def of_primary(found: MetricReport) -> list[str]:
    """How the variants compare, or what is missing until they can be compared."""
    if found.is_early:
        return [f"Too early to tell: {found.n_least} of the {MIN_CONVERSIONS} people with {found.title} that each "
                "variant needs."]  # fmt: skip
    return [one.sentence for one in found.variants] or [f"{found.title} cannot be compared yet."]


def of_guardrail(found: MetricReport) -> list[str]:
    """Whatever is told to be worse."""
    return [
        f"Watch out: {found.title} is worse with {one.variant}."
        for one in found.variants
        if one.is_told and (one.difference < 0) == (found.good == "up")
    ]


def of_return(one: Compared) -> list[str]:
    """What came back of what treating people costs."""
    if one.return_on_investment is None:
        return []
    ends = "" if one.return_interval is None else " (from {:+,.0%} to {:+,.0%})".format(*one.return_interval)
    return [f"The return on what {one.variant} costs is {one.return_on_investment:+,.0%}{ends}."]


def of_preference(found: Preference, teams: Sequence[str]) -> str:
    """Whose items people clicked more often; `teams` are the names of the first and the second policy."""
    n = found.n_first + found.n_second
    if found.share is None:
        return "Nobody has clicked an interleaved item yet."
    if found.interval is None or found.p_value is None:
        return f"Too early to tell: {n} of the {MIN_VOTES} votes that are needed."
    said = f"of {counted(n, 'person')} who preferred one, {found.share:.1%} preferred {teams[1]}"
    ends = f"from {found.interval.low:.1%} to {found.interval.high:.1%}, p = {found.p_value:.2g}"
    if found.p_value >= DIFFERS_BELOW:
        return f"{teams[1]} and {teams[0]} cannot be told apart: {said} ({ends})."
    better = teams[1] if found.share > 0.5 else teams[0]
    return f"People prefer {better}: {said} ({ends})."
