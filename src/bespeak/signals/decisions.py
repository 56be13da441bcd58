"""Decisions, exposures and reasons: what was shown, with which probability and why."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Mode = Literal["profiled", "anonymous", "non_profiled", "fallback"]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One exact term of the score: `contribution = value * weight`, with a sentence a person understands."""

    signal: str
    value: float
    weight: float
    contribution: float
    text: str


class ShownItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One position of a slate.

    Attributes:
        position: from 1.
        propensity: probability with which the policy put this item here, given what stands before (on a page, in the
            rows above too); 1 where nothing was drawn, 0 where nobody knows: another system chose. The slate's is the
            product.
        sources: names of the candidate sources that proposed it.
        features: name -> value of every term the score used (also those that are zero are left out).
        team: of an interleaved slate, the variant whose choice this is.
        is_paid: a share that is paid for lets it pass.
    """

    item_id: str
    position: int
    score: float
    propensity: float = 1.0
    creative: dict[str, Any] | None = None
    sources: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    features: dict[str, float] = {}
    team: str = ""
    is_paid: bool = False


class PagePlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where on a page a decision is a row.

    Attributes:
        page_id: of the whole answer; all its rows have it.
        page: name of the page, "" for placements that the caller put together.
        row: from 1.
        above: the items in the rows above, where the row's candidates are kept: it showed none of them again.
        caps, one_per_group: the page's rules about what its rows may share, where the candidates are kept.
    """

    page_id: str
    page: str
    row: int
    above: tuple[str, ...] = ()
    caps: dict[str, int] = {}
    one_per_group: bool = True


class CandidateFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """All candidates of one decision with what they were scored by: what another policy is replayed on.

    Attributes:
        item_ids: c candidates, in the order of the catalogue, by which equal scores are told apart.
        scores: c numbers.
        columns: feature -> c numbers; features that are 0 for all are left out.
    """

    item_ids: tuple[str, ...]
    scores: tuple[float, ...]
    columns: dict[str, tuple[float, ...]]


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The complete record of one decision.

    Attributes:
        kind: `items` for a slate; `variant` where the one shown "item" is a variant of the placement.
        is_ahead: made for a client that fetches all flags at once: it counts as shown only once an exposure says so.
        person: surrogate id, or None when nobody was recognised.
        policy: `placement@version`.
        config_version, catalogue_version, models: the snapshot it was made with (`models`: name -> version).
        candidates: (item id, score) of candidates not shown, up to a cap.
        candidate_features: all candidates with their features, kept for a random share of the decisions that explore.
        candidate_features_rate: the probability with which `candidate_features` is kept.
        removed: rule -> how many candidates it removed.
        heading: what stands above the items.
        about: what the slate is about: `item`, or `facet` and `value`.
        page: where on a page it is a row.
        context: the context used, without raw address or user agent.
        experiment: name and variant of the experiment that chose the policy; of the launch where none did.
        launch: name and variant of the placement's launch where `experiment` is another one.
        withheld_propensity: where nothing may be shown at random, with which probability; it stands beside what was
            shown, too.
        shadow_policy, shadow: a policy that decided beside and was not shown, and its (item id, score) in order.
    """

    decision_id: str
    time_ms: int
    placement: str
    mode: Mode
    policy: str
    items: tuple[ShownItem, ...]
    kind: Literal["items", "variant"] = "items"
    is_ahead: bool = False
    person: int | None = None
    experiment: dict[str, str] | None = None
    config_version: int = 0
    catalogue_version: int = 0
    models: dict[str, int] = {}
    weights_version: int = 0
    n_candidates: int = 0
    candidates: tuple[tuple[str, float], ...] = ()
    candidate_features: CandidateFeatures | None = None
    candidate_features_rate: float = 0.0
    removed: dict[str, int] = {}
    context: dict[str, Any] = {}
    query: str = ""
    filter: str = ""
    purposes: int = 0
    notes: tuple[str, ...] = ()
    duration_us: int = 0
    launch: dict[str, str] | None = None
    shadow_policy: str = ""
    shadow: tuple[tuple[str, float], ...] = ()
    heading: str = ""
    about: dict[str, str] = {}
    page: PagePlace | None = None
    withheld_propensity: float = 0.0


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a decision was really seen."""

    decision_id: str
    item_id: str
    position: int
    time_ms: int
    person: int
