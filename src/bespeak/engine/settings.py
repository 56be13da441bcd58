"""The shape of every section of `bespeak.toml`, with defaults, units and what each setting means.

The description of each setting is part of the type: `init` writes the commented file from it and the reference is
generated from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the file: unknown keys are refused."""


class ProjectSettings(Section, frozen=True, kw_only=True):
    """The project itself."""

    name: Annotated[str, Meta(description="shown in the console and in reports", min_length=1, max_length=100)] = "my"
    seed: Annotated[int, Meta(description="seed of every draw and assignment")] = 1
    now: Annotated[
        Literal["clock", "data"],
        Meta(description='"data" lets time stand at the newest event, so that old imports do not decay to nothing'),
    ] = "clock"
    market: Annotated[
        str, Meta(description="market whose price and availability hold unless a placement or request names one")
    ] = "default"
    currency: Annotated[str, Meta(description="ISO 4217 code used where an event or item names none")] = "EUR"
    locale: Annotated[str, Meta(description="language of texts when a person's own is unknown")] = "en"


class StorageSettings(Section, frozen=True, kw_only=True):
    """Where data lies."""

    url: Annotated[
        str,
        Meta(description="sqlite:///PATH (relative to this file) or postgresql://USER@HOST/DATABASE"),
    ] = "sqlite:///data/bespeak.db"


class SourceSettings(Section, frozen=True, kw_only=True):
    """A place that events come from."""

    kind: Annotated[
        Literal["browser", "server", "import"],
        Meta(description="browser: its key is public; server: its key stays on the backend; import: files"),
    ]
    key: Annotated[str, Meta(description="write key of a browser source (public: it stands in the page)")] = ""
    key_sha256: Annotated[
        str, Meta(description="SHA-256 of the write key of a server source", pattern="^[0-9a-f]{64}$|^$")
    ] = ""
    consent: Annotated[
        list[str], Meta(description="purposes that hold before a person has spoken; essential always does")
    ] = msgspec.field(default_factory=lambda: ["essential"])
    links: Annotated[
        Literal["confirmed", "claimed"],
        Meta(description='"claimed" lets a browser link ids without proof: anyone can then claim to be anyone'),
    ] = "confirmed"
    hosts: Annotated[list[str], Meta(description="the site's own hosts: referrers from them are internal")] = []


class KeySettings(Section, frozen=True, kw_only=True):
    """A secret key of the API: does everything."""

    sha256: Annotated[
        str, Meta(description="SHA-256 of the key; the key itself is shown once by init", pattern="^[0-9a-f]{64}$")
    ]


class TokenSettings(Section, frozen=True, kw_only=True):
    """Person tokens: JWTs signed by the site's backend."""

    public_key: Annotated[str, Meta(description="Ed25519 public key, base64; empty refuses every token")] = ""


class ConsentSettings(Section, frozen=True, kw_only=True):
    """Purposes and how consent banners name them."""

    purposes: Annotated[
        list[str], Meta(description="own purposes beside essential, personalize, measure, improve, share; only append")
    ] = []
    categories: Annotated[
        dict[str, list[str]], Meta(description="category of the consent banner -> purposes it means")
    ] = {}


class ProfileSettings(Section, frozen=True, kw_only=True):
    """What is kept about a person."""

    facets: Annotated[list[str], Meta(description="item attributes that affinities are kept for")] = msgspec.field(
        default_factory=lambda: ["category", "brand", "genre", "genres", "artist", "author", "topic", "tags", "colour"]
    )
    numeric_facets: Annotated[
        list[str],
        Meta(description="numeric item attributes kept as mean and spread; price_percentile is computed"),
    ] = msgspec.field(default_factory=lambda: ["price_percentile", "rating"])
    session_gap_minutes: Annotated[
        int, Meta(description="a pause this long ends a session, in minutes", ge=1, le=1440)
    ] = 30


class ArmSettings(Section, frozen=True, kw_only=True):
    """One arm of an experiment."""

    weight: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="share of those who take part; all alike where none is given"),
    ] = None
    settings: Annotated[
        dict[str, Any], Meta(description="settings of the placement that differ in this arm: a policy of its own")
    ] = {}
    incumbent: Annotated[
        bool, Meta(description="another system shows its own slate in this arm and logs it: POST /api/decisions")
    ] = False


class ExperimentSettings(Section, frozen=True, kw_only=True):
    """One experiment on a placement."""

    placement: Annotated[str, Meta(description="placement where it runs")]
    variants: Annotated[
        dict[str, ArmSettings], Meta(description="name -> arm, a table [experiments.NAME.variants.ARM] each")
    ]
    kind: Annotated[
        Literal["ab", "aa", "interleave"],
        Meta(
            description="ab compares arms; aa has arms that do not differ, to try the machinery; interleave mixes the "
            "choices of two arms in every slate and counts whose are clicked"
        ),
    ] = "ab"
    control: Annotated[str, Meta(description="the arm that others are set beside; the first one when empty")] = ""
    coverage: Annotated[float, Meta(description="share of people who take part: a ramp", ge=0, le=1)] = 1.0
    namespace: Annotated[
        str, Meta(description="experiments of one namespace with disjoint ranges exclude one another")
    ] = ""
    namespace_range: Annotated[tuple[float, float], Meta(description="this experiment's range, within 0 to 1")] = (
        0.0,
        1.0,
    )
    seed: Annotated[
        str, Meta(description="of the hash that spreads people; the name when empty. A new seed spreads anew")
    ] = ""
    condition: Annotated[
        str, Meta(description="rule over the profile: whom it takes, asked when somebody is first assigned")
    ] = ""
    start: Annotated[str, Meta(description="when it begins, ISO 8601; at once when empty")] = ""
    stop: Annotated[str, Meta(description="when it ends, ISO 8601; by `bespeak experiment stop` when empty")] = ""
    primary: Annotated[str, Meta(description="the metric that decides")] = "conversion_rate"
    secondary: Annotated[list[str], Meta(description="further metrics, corrected for being many")] = msgspec.field(
        default_factory=lambda: ["engagement_rate", "revenue"]
    )
    guardrails: Annotated[list[str], Meta(description="metrics that must not get worse")] = []
    subgroups: Annotated[
        list[str], Meta(description="segments whose members, when they were assigned, are looked at apart")
    ] = []
    pre_days: Annotated[
        float,
        Meta(description="days before the assignment that narrow intervals (CUPED); 0: none", ge=0, le=365),
    ] = 28.0
    smallest_lift: Annotated[
        float, Meta(description="the lift of the primary metric that is worth finding, for planning", gt=0, le=10)
    ] = 0.1


class PredictionSettings(Section, frozen=True, kw_only=True):
    """What is foretold of each person."""

    kind: Annotated[
        Literal["churn", "propensity", "lifetime_value", "cancellation", "subscription_value"],
        Meta(
            description="churn: probability of not doing `of` within so many days; propensity: of doing it; "
            "lifetime_value: money expected of orders within so many days, in minor units; cancellation: probability "
            "that a subscription ends within so many days; subscription_value: money expected of its renewals"
        ),
    ]
    of: Annotated[
        str,
        Meta(description="class of the signals that are meant, such as purchase; empty: any. churn and propensity"),
    ] = ""
    within_days: Annotated[int, Meta(description="how far it reaches, in days", ge=1, le=730)] = 30
    among_days: Annotated[
        int,
        Meta(
            description="asked of people who did it (churn) or anything (propensity) in so many days up to now",
            ge=1,
            le=365,
        ),
    ] = 90
    period_days: Annotated[
        float, Meta(description="how long a period of a subscription is, in days; a twelfth of a year is 30.4375", ge=1)
    ] = 30.4375
    ends_by: Annotated[
        Literal["cancellation", "missed_renewal"],
        Meta(
            description="cancellation: a subscription goes on until an event ends it; missed_renewal: also "
            "without one, half a period after a renewal was due, where each renewal is an event"
        ),
    ] = "cancellation"


class RetentionSettings(Section, frozen=True, kw_only=True):
    """How long things are kept, in days from receipt. 0 keeps them."""

    log_days: Annotated[int, Meta(description="events, and moves into and out of segments, in days", ge=0)] = 730
    decisions_days: Annotated[int, Meta(description="decision records and exposures, in days", ge=0)] = 180
    rejects_days: Annotated[int, Meta(description="bodies of rejected events, in days", ge=1, le=90)] = 7
    gated_days: Annotated[
        int, Meta(description="daily counts of events that no granted purpose may use, in days", ge=1)
    ] = 400
    message_ids_days: Annotated[int, Meta(description="ids that catch duplicates, in days", ge=1)] = 730


class TrainSettings(Section, frozen=True, kw_only=True):
    """Training."""

    every: Annotated[
        str,
        Meta(
            description='how often the job trains, such as "6h" or "1d"; empty: only by hand', pattern=r"^(\d+[mhd])?$"
        ),
    ] = ""
    keep_versions: Annotated[int, Meta(description="model versions kept on disk", ge=1, le=50)] = 3
    memory_limit_gb: Annotated[
        float,
        Meta(
            description="what training may take, in GB; models beyond are left out. 0: four fifths of what is free",
            ge=0,
        ),
    ] = 0.0


class ContextSettings(Section, frozen=True, kw_only=True):
    """The circumstances of a request."""

    declared: Annotated[
        list[str], Meta(description="context keys the caller may send (mood, weather); never in profiles")
    ] = []
    geoip: Annotated[str, Meta(description="path of a MaxMind DB file for city and country; empty: no look-up")] = ""


class ServeSettings(Section, frozen=True, kw_only=True):
    """The server."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(description="port to listen on; 0 picks a free one", ge=0, le=65535)] = 8787
    decide_budget_ms: Annotated[
        int, Meta(description="a decision that takes longer is answered by the fallback, in ms", ge=1)
    ] = 200
    max_body_bytes: Annotated[int, Meta(description="largest request body, in bytes", ge=65536)] = 4_194_304
    max_waiting_events: Annotated[
        int, Meta(description="events waiting for the writer before tracking is shed", ge=100)
    ] = 100_000


class Settings(Section, frozen=True, kw_only=True):
    """The whole file."""

    project: ProjectSettings = ProjectSettings()
    storage: StorageSettings = StorageSettings()
    sources: Annotated[dict[str, SourceSettings], Meta(description="where events come from")] = {}
    keys: Annotated[dict[str, KeySettings], Meta(description="secret keys of the API")] = {}
    tokens: TokenSettings = TokenSettings()
    consent: ConsentSettings = ConsentSettings()
    signals: Annotated[dict[str, Any], Meta(description="changes and additions to the built-in signal catalogue")] = {}
    profiles: ProfileSettings = ProfileSettings()
    segments: Annotated[dict[str, str], Meta(description="name -> rule over the profile")] = {}
    predictions: Annotated[dict[str, PredictionSettings], Meta(description="name -> what is foretold of people")] = {}
    placements: Annotated[dict[str, dict[str, Any]], Meta(description="places where a decision is shown")] = {}
    experiments: Annotated[
        dict[str, ExperimentSettings], Meta(description="policies of a placement side by side, on different people")
    ] = {}
    metrics: Annotated[
        dict[str, dict[str, Any]], Meta(description="what experiments measure, beside the built-in metrics")
    ] = {}
    pages: Annotated[dict[str, dict[str, Any]], Meta(description="whole pages: rows that are placements")] = {}
    retention: RetentionSettings = RetentionSettings()
    train: TrainSettings = TrainSettings()
    context: ContextSettings = ContextSettings()
    serve: ServeSettings = ServeSettings()
