"""What is killed: the write path, an import, a migration, the lake and the swap of models.

Two workers send batches all the while (in the migration they are what migrates), and are killed with the rest.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bespeak.cli
from bespeak.cli import data as import_command
from bespeak.engine import Engine
from bespeak.engine import core as core_module
from bespeak.engine.importing import imports
from bespeak.engine.jobs import tasks
from bespeak.engine.worlds.neighbour_tables import load_model
from bespeak.engine.worlds.trained_set import MODEL_SET
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.storage.postgres import store as postgres
from bespeak.storage.tables import records
from recovery.findings import is_erased
from recovery.killing import Desk, Part, Scenario
from recovery.migrating import Migration
from recovery.workers import N_ITEMS, N_PEOPLE, START_MS, workers

PRELOADED = postgres  # a store imports its driver when it opens; forked children should not spend their life on that
DAY_MS = 86_400_000


class Load(Scenario):
    """Two workers send batches, and nothing else happens."""

    works = frozenset({"batch", "repeated batch"})
    lead = 40
    with_workers = False

    def actors(self, number: int) -> Sequence[Part]:
        del number
        return workers(self.project, self.seed)


class Import(Scenario):
    """`bespeak import events FILE`, one file after the other, each until it is done; CSV and JSONL by turns."""

    works = frozenset({"import"})
    window_s = 0.7
    n_rows = 4_000

    @property
    def _journal(self) -> Path:
        return self.project.parent / "imported"

    def actors(self, number: int) -> Sequence[Part]:
        del number
        return [self._import_until_killed]

    def _import_until_killed(self, desk: Desk) -> None:
        # Small batches, and their place remembered often, so that a small file is resumed in its middle.
        imports.BATCH_ROWS = 150
        imports.REMEMBER_EVERY = 4
        read = imports.import_file

        def noted(*arguments: Any, **named: Any) -> imports.ImportReport:
            with desk.works("import"):
                return read(*arguments, **named)

        import_command.import_file = noted
        for number in itertools.count(self._n_done()):
            self._import(number)

    def _import(self, number: int) -> None:
        """Runs the command on one file, and notes that it is done."""
        output = self.project.parent / "import-output.json"
        arguments = ["import", "events", str(self._file(number)), "--project", str(self.project), "--json"]
        with output.open("w") as file, contextlib.redirect_stdout(file):
            try:
                bespeak.cli.main([*arguments, *self._how(number)])
            except SystemExit as end:
                if end.code:
                    raise
        report = json.loads(output.read_text())["files"][0]
        assert not report["rejected"], report
        with self._journal.open("a") as journal:
            journal.write(f"{number} {report['resumed_after']} {report['duplicate']}\n")

    def _n_done(self) -> int:
        return len(self._journal.read_text().splitlines()) if self._journal.exists() else 0

    def _rows(self, number: int) -> list[tuple[str, str, int, str]]:
        """Rows of a file: key, person, time and item; each row has a time of its own."""
        rng = random.Random(f"{self.seed}/file/{number}")
        rows = []
        for row in range(self.n_rows):
            time_ms = START_MS + number * DAY_MS // 4 + row * 1_000 + 500
            person = f"u{rng.randrange(N_PEOPLE)}"
            key = f"f{number}-{row}" if number % 2 else f"row-{time_ms}"
            rows.append((key, person, time_ms, f"p{rng.randrange(N_ITEMS)}"))
        return rows

    def _file(self, number: int) -> Path:
        path = self.project.parent / f"events-{number}.{'jsonl' if number % 2 else 'csv'}"
        if path.exists():
            return path
        part = path.with_suffix(".part")
        with part.open("w", newline="") as file:
            if number % 2:
                for key, person, time_ms, item in self._rows(number):
                    event = {"type": "track", "event": "Product Viewed", "messageId": key, "timestamp": time_ms}
                    file.write(json.dumps({**event, "userId": person, "properties": {"product_id": item}}) + "\n")
            else:
                table = csv.writer(file)
                table.writerow(["who", "when", "what"])
                table.writerows((person, time_ms, item) for _, person, time_ms, item in self._rows(number))
        part.rename(path)
        return path

    @staticmethod
    def _how(number: int) -> list[str]:
        if number % 2:
            return ["--format", "segment"]
        return ["--map", "event='Product Viewed',user=who,timestamp=when,item=what"]

    def finish(self) -> list[str]:
        """The file that was interrupted last is imported to its end."""
        self._import(self._n_done())
        return []

    def acknowledged(self) -> list[str]:
        return [key for number in range(self._n_done()) for key, *_ in self._rows(number)]

    def notes(self) -> dict[str, Any]:
        lines = [line.split() for line in self._journal.read_text().splitlines()] if self._journal.exists() else []
        return {
            "files": len(lines),
            "resumed_in_the_middle": sum(int(resumed) > 0 for _, resumed, _ in lines),
            "rows_read_again": sum(int(duplicate) for *_, duplicate in lines),
        }


class LakeFeed(Scenario):
    """The jobs that feed the lake, erase people from it, put small files together and sweep what nothing lists."""

    works = frozenset({"feed", "erase", "compact and sweep"})
    lead = 8
    window_s = 0.3

    def actors(self, number: int) -> Sequence[Part]:
        return [lambda desk: self._work(desk, number)]

    def _work(self, desk: Desk, number: int) -> None:
        rng = random.Random(f"{self.seed}/lake/{number}")
        with Engine.open(self.project) as engine:
            core = engine.core
            jobs = {task.name: task for task in tasks(engine)}
            while True:
                with desk.works("feed"):
                    jobs["lake"].run(engine)
                if rng.random() < 0.5:
                    with desk.works("erase"), core.store.write() as tx:
                        core.lake.erase(tx, [person for person in range(1, 200) if is_erased(person)])
                with desk.works("compact and sweep"):
                    jobs["compaction"].run(engine)


class ModelSwap(Scenario):
    """Training over and over; killed while the new set is stored, made current, loaded and the oldest one dropped."""

    works = frozenset({"swap"})
    lead = 2
    window_s = 0.2

    @property
    def _journal(self) -> Path:
        return self.project.parent / "versions"

    def actors(self, number: int) -> Sequence[Part]:
        del number
        return [self._train]

    def _train(self, desk: Desk) -> None:
        def told(stage: str, share: float) -> None:
            del share
            if stage == "storing":
                desk.begin("swap")

        with Engine.open(self.project) as engine:
            while True:
                report = engine.models.train(candidates=[Popularity(), ItemNeighbours()], progress=told)
                desk.end()
                with self._journal.open("a") as journal:
                    journal.write(f"{report.version}\n")

    def look(self, number: int) -> list[str]:
        """The newest set is current and in use, every listed one can be loaded, nothing else lies there."""
        del number
        core_module.YOUNG_MODEL_MS = -DAY_MS  # no training is under way: whatever nothing lists was left by a kill
        told = [int(line) for line in self._journal.read_text().splitlines()] if self._journal.exists() else []
        with Engine.open(self.project) as engine:
            core = engine.core
            with core.store.read() as session:
                listed = records.models(session, name=MODEL_SET)
            current = [version.version for version in listed if version.state == "current"]
            faults = []
            if listed and (current != [listed[0].version] or core.runtime.keeper.models_version != current[0]):
                faults.append(f"of {len(listed)} sets, {len(current)} are current; the newest is not in use")
            if told and (not current or current[0] < max(told)):
                faults.append("a set that was told to be stored is not there")
            for version, header in engine.models.versions():
                for model in header.models:
                    load_model(core.blobs, model.blob_key, version.version, is_best=model.is_best)
            core.sweep_blobs()
            folders = {version.blob_key for version in listed}
            left = [
                file
                for file in (core.blobs.folder / "models").rglob("*")
                if file.is_file() and "/".join(file.relative_to(core.blobs.folder).parts[:2]) not in folders
            ]
            half = list((core.blobs.folder / "models").rglob(".*"))
            if left or half:
                faults.append(f"a sweep leaves {len(left)} files of no set and {len(half)} half written ones")
            return faults

    def notes(self) -> dict[str, Any]:
        return {"sets_told": len(self._journal.read_text().splitlines()) if self._journal.exists() else 0}


SCENARIOS: dict[str, type[Scenario]] = {
    "load": Load,
    "import": Import,
    "migration": Migration,
    "lake": LakeFeed,
    "models": ModelSwap,
}
"""The scenarios by name."""
