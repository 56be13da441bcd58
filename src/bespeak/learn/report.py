"""What training found, in plain sentences: counts, baselines, the chosen model, and what no figure can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bespeak.learn.choosing.choice import Choice
from bespeak.learn.intervals import FEW_PEOPLE, Interval
from bespeak.learn.leaderboard import Leaderboard, Row
from bespeak.learn.splits import Relevant
from bespeak.learn.words import PROTOCOLS, day, decimals, described, ends
from bespeak.models.base import Interactions, Model
from bespeak.models.families import model_class
from bespeak.signals.counts import counted


def sentences(
    model: Model,
    boards: Sequence[Leaderboard],
    interactions: Interactions,
    relevant: Relevant,
    choice: Choice | None = None,
    notes: Sequence[str] = (),
) -> list[str]:
    """One sentence on the data, one per protocol, one on what is used and what it was fitted on."""
    said = [_data(interactions, boards)]
    said += [_board(board) for board in boards]
    said += notes
    if not boards and choice is not None:
        figures = ", ".join(f"{name.replace('_', ' ')} {decimals(figure)}" for name, figure in choice.figures.items())
        asked = _asked(choice.n_people)
        said.append(f"{PROTOCOLS[choice.protocol]}, {asked}, NDCG when choosing: {figures}.{_preferred(choice)}")
        said.append(f"In use: {described(model)}, fitted on all events; no cut was left for a figure without bias.")
        return said
    if not boards:
        said.append(_not_compared(model, interactions, relevant))
        return said
    rows = "every later event" if relevant == "every" else "later events of positive weight"
    decided = PROTOCOLS[boards[0].protocol].split(" (")[0].lower()
    said.append(
        f"In use: {described(model)}, chosen {decided} on an earlier cut and now fitted on all events, those of the "
        f"test included; the figures are of a fit without them.{_preferred(choice)} "
        f"Right answers were {rows} with items new to the person."
    )
    return said


def _preferred(choice: Choice | None) -> str:
    """Why something simpler than what had the best figure was chosen; nothing where that is not so."""
    if choice is None or choice.passed_over is None:
        return ""
    had = " and ".join(f"{name.replace('_', ' ')} {decimals(choice.figures[name])}" for name in choice.passed_over)
    asked = _asked(choice.n_people)
    return f" When choosing, {had} lay within noise of each other with {asked}, so the simpler one has the first say."


def _asked(n_people: int) -> str:
    return f"{counted(n_people, 'person')} asked"


def _caution(n_people: int) -> str:
    """What a figure of so few people is worth; nothing where they are enough."""
    if n_people == 1:
        return " One person says nothing about the others."
    return f" {n_people} people are few: read the intervals, not the means." if n_people < FEW_PEOPLE else ""


def _not_compared(model: Model, interactions: Interactions, relevant: Relevant) -> str:
    """Why there was nobody to ask."""
    if not (np.diff(interactions.row_starts) > 1).any():
        why, until = "Nobody has two events, so there is nothing to compare models by", "somebody has"
    elif relevant == "positive" and not (interactions.weights > 0).any():
        why, until = "No event is of positive weight, so there is nothing to compare models by", "some are"
    else:
        why, until = "Too few events to compare models", "there are more"
    return f"{why}; {described(model)} is used until {until}."


def _data(interactions: Interactions, boards: Sequence[Leaderboard]) -> str:
    people = int((np.diff(interactions.row_starts) > 0).sum())
    said = f"{people:,} people, {interactions.n_items:,} items, {len(interactions):,} events"
    if interactions.has_times:
        said += f" from {day(int(interactions.times_ms.min()))} to {day(interactions.last_ms)}"
    dated = next((board for board in boards if board.protocol == "calendar"), None)
    if dated is not None:
        said += f", {dated.share_new:.0%} of test people new".replace("%", " %")
    return said + "."


def _board(board: Leaderboard) -> str:
    return f"{_figures(board)}{_caution(board.n_people)}"


def _figures(board: Leaderboard) -> str:
    chosen, baseline = board.rows[board.winner], board.rows[board.baseline]
    known = [row for name in ("popularity", "recent_popularity") if (row := board.best_of(name)) is not None]
    figures = ", ".join(f"{_words(row)} {decimals(row.ndcg.mean)}" for row in known)
    said = f"{PROTOCOLS[board.protocol]}, {_asked(board.n_people)}, NDCG@{board.k}: {figures}"
    said += f"{', ' if figures else ''}chosen: {_words(chosen)} {decimals(chosen.ndcg.mean)} {ends(chosen.ndcg)}"
    if chosen.difference is None:
        return f"{said}; that is the baseline itself, nothing beat it."
    said += f"; against {_words(baseline)} {_signed(chosen.difference)}"
    if board.in_use is None:
        return f"{said}. The model in use takes too long to fit to be measured here too."
    used = board.rows[board.in_use]
    if board.in_use != board.winner and used.difference is not None:
        said += f". The model in use has {decimals(used.ndcg.mean)} {ends(used.ndcg)} here, {_signed(used.difference)}"
    return said + "."


def _words(row: Row) -> str:
    return described(model_class(row.model)(**row.settings))


def _signed(difference: Interval) -> str:
    sign = "+" if difference.mean >= 0 else "-"
    verdict = "better" if difference.above_zero else "worse" if difference.below_zero else "no difference beyond noise"
    return f"{sign}{decimals(abs(difference.mean))} {ends(difference)}, {verdict}"
