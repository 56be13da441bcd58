"""Prometheus metrics, added up over the workers of one server."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

EVENTS = Counter("bespeak_events_total", "Events received, by what became of them", ["outcome"])
ACCEPTED, DUPLICATE, REJECTED = map(EVENTS.labels, ("accepted", "duplicate", "rejected"))
CLOCKS_OFF = Counter(
    "bespeak_clocks_off_total",
    "Events whose client's clock was off by over an hour; their times are corrected",
)
REQUESTS = Counter("bespeak_requests_total", "HTTP requests", ["route", "status"])
DECISIONS = Counter("bespeak_decisions_total", "Decisions, by placement and mode", ["placement", "mode"])
DECIDE_SECONDS = Histogram(
    "bespeak_decide_seconds",
    "Time of a decision, in seconds",
    buckets=(0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
TRACK_SECONDS = Histogram(
    "bespeak_track_seconds",
    "Time from the request to its durable acknowledgement, in seconds",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
WAITING = Gauge("bespeak_writer_waiting", "Records waiting for the writer", multiprocess_mode="livesum")
LAKE_LAG = Gauge("bespeak_lake_lag_entries", "Log entries that the lake does not hold yet", multiprocess_mode="livemax")
MODEL_AGE = Gauge("bespeak_model_age_seconds", "Age of the models in use, in seconds", multiprocess_mode="livemax")
REFOLDED = Gauge(
    "bespeak_profiles_up_to_date_ratio",
    "Share of people whose profile is folded under what holds now; below 1 a refold is under way",
    multiprocess_mode="livemin",
)
CATALOGUE_ITEMS = Gauge("bespeak_catalogue_items", "Items in the catalogue in use", multiprocess_mode="livemax")


def exposition() -> tuple[bytes, str]:
    """Returns the metrics of all workers as text, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST
