"""What every test run shares: one thread per process for arrays, Hypothesis profiles, and `--no-skips`."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports NumPy: the workers of one run already use every core, and `implicit` warns (an error here)
# about a threaded BLAS beneath its own threads.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# `ci` is the default for people as well, so that a failure there is a failure here. HYPOTHESIS_PROFILE=deep searches.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="fail what would be skipped: the run has everything that any test needs",
    )


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, name: str) -> None:
    """Turns a skip into a failure that keeps the reason; an expected failure (xfail) stays what it is."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{name} was skipped, and this run allows no skips (--no-skips).\n{reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if item.config.getoption("--no-skips"):
        _refuse_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    if collector.config.getoption("--no-skips"):
        _refuse_skip(report, collector.nodeid)
    return report
