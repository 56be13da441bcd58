"""What an evaluation found, in plain sentences, and what its figures cannot tell."""

from __future__ import annotations

from bespeak.learn.evaluation.result import Difference, Evaluation
from bespeak.learn.words import PROTOCOLS, day, decimals, ends
from bespeak.signals.counts import counted

_FEW_PEOPLE = 100
_FUTURE_LEAKS = {"per person", "leave one out", "held out"}


def sentences(found: Evaluation, settings_known_until_ms: int | None = None) -> list[str]:
    """What was asked, how the model in use stands, who else was compared, and what to be careful about.

    Args:
        found: the evaluation.
        settings_known_until_ms: time of the last row on which the settings of the models were chosen, if known.
    """
    said = [_asked(found), _in_use(found)]
    said += _best(found)
    said += _against(found)
    said += _newcomers(found)
    said += _popularity(found)
    return said + _cautions(found, settings_known_until_ms)


def difference_text(difference: Difference) -> str:
    """A difference with its interval, its p-value and a verdict."""
    interval = difference.interval
    p = "p < .001" if difference.p_holm < 0.001 else f"p = {decimals(difference.p_holm)}"
    sign = "+" if interval.mean >= 0 else ""
    return f"{sign}{decimals(interval.mean)} {ends(interval)}, {p}: {difference.verdict}"


def _asked(found: Evaluation) -> str:
    people = counted(found.n_people, "person")
    if found.n_people < found.n_people_of_cut:
        people += f" of {found.n_people_of_cut:,}"
    said = (
        f"{PROTOCOLS[found.protocol]}: {people} asked, {found.n_answers:,} right answers among {found.n_items:,} items"
    )
    if found.protocol in ("calendar", "live"):
        said += f"; models saw {found.n_rows_fit:,} events until {day(found.now_ms)}"
        said += f", {100 * found.share_new:.0f} % of the later people are new"
    return said + "."


def _in_use(found: Evaluation) -> str:
    row, baseline = found.rows[found.in_use], found.rows[found.baseline]
    ndcg = row.figures["ndcg"]
    said = f"In use: {row.name}, NDCG@{found.k} {decimals(ndcg.mean)} {ends(ndcg)}"
    if row.difference is None:
        return f"{said}; it is the baseline itself."
    return f"{said}; against {baseline.name} {difference_text(row.difference)}."


def _best(found: Evaluation) -> list[str]:
    best = next(place for place, row in enumerate(found.rows) if row.role != "theirs")
    if best == found.in_use:
        return []
    row = found.rows[best]
    return [
        f"The highest figure here has {row.name}, {decimals(row.figures['ndcg'].mean)}. A model that is chosen by this "
        "table is flattered by it; training chooses on earlier cuts."
    ]


def _against(found: Evaluation) -> list[str]:
    if found.against is None or found.theirs is None:
        return []
    theirs = found.rows[found.theirs]
    return [
        f"{theirs.name}: NDCG@{found.k} {decimals(theirs.figures['ndcg'].mean)} {ends(theirs.figures['ndcg'])}. "
        f"The model in use less {theirs.name}, person by person: {difference_text(found.against['ndcg'])}."
    ]


def _newcomers(found: Evaluation) -> list[str]:
    cold = found.newcomers
    if cold is None or cold.ndcg[found.in_use].mean > 0 or found.in_use == found.baseline:
        return []
    baseline = found.rows[found.baseline].name
    people = counted(cold.n_people, "person")
    return [
        f"The model in use has no list for the {people} of whom nothing was known when asked; "
        f"decisions fall back on popular items there, where {baseline} has {decimals(cold.ndcg[found.baseline].mean)}."
    ]


def _popularity(found: Evaluation) -> list[str]:
    row = found.rows[found.in_use]
    asked_for = found.asked_for.get("head_share")
    if asked_for is None:
        return []
    return [
        f"{100 * row.figures['head_share'].mean:.0f} % of what the model in use recommends is among the most popular "
        f"fifth of the items, of what people then turned to {100 * asked_for:.0f} %; it recommends "
        f"{100 * row.coverage:.0f} % of the items to somebody."
    ]


def _cautions(found: Evaluation, settings_known_until_ms: int | None) -> list[str]:
    said = []
    if found.n_people < _FEW_PEOPLE:
        said.append(f"{counted(found.n_people, 'person is', 'people are')} few: read the intervals, not the means.")
    if found.protocol in _FUTURE_LEAKS:
        said.append(
            "This cut lets models learn from other people's later events. It makes figures comparable with published "
            "ones and says little about tomorrow; the calendar does."
        )
    elif settings_known_until_ms is not None and settings_known_until_ms > found.now_ms:
        said.append(
            f"The models' settings were chosen on events until {day(settings_known_until_ms)}, later than this cut: "
            "tuned models may look better than they would have done then."
        )
    said.append(
        "Offline figures tell who guesses best what people did under the recommendations they had; what changes what "
        "they do is told by an experiment."
    )
    return said
