"""What comparing candidates on earlier cuts came to."""

from __future__ import annotations

from dataclasses import dataclass

from bespeak.models.base import Model


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen on the choosing cuts of one protocol.

    Attributes:
        protocol: its name.
        chosen: unfitted.
        families: the best settings of each family, unfitted, best first.
        figures: NDCG@k of each family, and of a blend that won under its name.
        n_asked: questions.
        n_people: people who were asked them.
        passed_over: the family with the best figure and the simpler one that has the first say instead, as the
            difference is within noise; None where the best one has it.
    """

    protocol: str
    chosen: Model
    families: dict[str, Model]
    figures: dict[str, float]
    n_asked: int
    n_people: int
    passed_over: tuple[str, str] | None = None
