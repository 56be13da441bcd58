"""Plays the trial that the demo's page "Does it help?" shows, and writes it into the package.

    python bench/parts/record_proof.py

Run it before a release: what people see should be what this release does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

from bespeak.simulate.proof import RECORDED, Proof, Trial, standings


def main() -> None:
    trial = Trial(n_people=2_000, n_days=60, from_day=20)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for standing in standings(trial, Path(folder) / "recorded"):
            told.append(standing)
            print(standing, file=sys.stderr, flush=True)
    RECORDED.mkdir(exist_ok=True)
    proof = msgspec.json.format(msgspec.json.encode(Proof(trial=trial, standings=told)), indent=1)
    (RECORDED / f"{trial.world}.json").write_bytes(proof + b"\n")


if __name__ == "__main__":
    main()
