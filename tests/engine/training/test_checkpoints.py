import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.training.checkpoints import FOLDER, BlobCheckpoints, drop_checkpoints
from bespeak.engine.training.models import Models
from bespeak.storage.blobs import Blobs

ARRAYS = {"index": np.arange(6, dtype=np.int32).reshape(2, 3)}
SCRIPT = """
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from bespeak.engine.training.checkpoints import BlobCheckpoints
from bespeak.learn.choosing import checkpoints, contest
from bespeak.learn.train import train
from bespeak.models import Ease, Interactions, ItemNeighbours, Popularity, Transformer
from bespeak.storage.blobs import Blobs

contest.WORTH_KEEPING_SECONDS = 0.0
checkpoints._SECONDS_BETWEEN_PASSES = 0.0
rng = np.random.default_rng(4)
n = 5_000
log = Interactions.from_arrays(
    [f"u{user}" for user in range(300)],
    [f"i{item}" for item in range(100)],
    rng.integers(0, 300, n),
    np.minimum(rng.zipf(1.4, n) - 1, 99),
    times_ms=rng.integers(0, 10**9, n),
)
found = train(
    log,
    candidates=[Popularity(), Ease(l2=50.0), ItemNeighbours(), Transformer(width=8, layers=1, epochs=6, negatives=32)],
    seed=2,
    checkpoints=BlobCheckpoints(Blobs(Path(sys.argv[1]))),
    progress=lambda stage, share: print(stage, file=sys.stderr, flush=True),
)
digest = sha256(repr([sorted(found.members), found.sentences()]).encode())
for model in [found.model, *found.members.values()]:
    for name, array in sorted(model.arrays().items()):
        digest.update(name.encode() + array.tobytes())
print(digest.hexdigest())
"""


def started(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.outside
def test_a_training_killed_at_any_moment_ends_with_the_arrays_of_one_that_was_not(tmp_path: Path) -> None:
    whole, told = started(tmp_path / "whole").communicate()
    assert whole, told
    folder = tmp_path / "killed"
    draws = random.Random(time.time_ns())
    for _ in range(2):
        held = set(folder.rglob("*.npz"))
        process = started(folder)
        while process.poll() is None and set(folder.rglob("*.npz")) <= held:  # until something more is kept
            time.sleep(0.01)
        time.sleep(draws.uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert any(folder.rglob("*.npz"))
    resumed, told_again = started(folder).communicate()
    assert resumed == whole
    assert told_again.count("\n") < told.count("\n")  # what was found before was not asked again


def test_arrays_come_back_whole_or_not_at_all(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    kept = BlobCheckpoints(blobs)
    kept.begin("one")
    kept.save("0.choosing.a1", ARRAYS)
    again = BlobCheckpoints(blobs)
    again.begin("one")
    np.testing.assert_array_equal(again.load("0.choosing.a1")["index"], ARRAYS["index"])
    assert again.load("0.choosing.b2") is None
    blobs.path(f"{FOLDER}/one/0.choosing.a1.npz").write_bytes(b"half of a fi")
    assert again.load("0.choosing.a1") is None


def test_another_run_sweeps_what_an_older_one_left(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for run in ("one", "two"):
        kept = BlobCheckpoints(blobs)
        kept.begin(run)
        kept.save("key", ARRAYS)
    assert blobs.folders(FOLDER) == [f"{FOLDER}/two"]


def test_a_run_keeps_no_more_than_its_room_and_may_replace_what_it_has(tmp_path: Path) -> None:
    kept = BlobCheckpoints(Blobs(tmp_path), most_bytes=1500)
    kept.begin("one")
    kept.save("a", {"x": np.zeros(100)})
    kept.save("b", {"x": np.zeros(100)})
    assert kept.load("b") is None
    kept.save("a", {"x": np.ones(100)})
    assert kept.load("a")["x"].sum() == 100
    resumed = BlobCheckpoints(Blobs(tmp_path), most_bytes=1500)
    resumed.begin("one")
    resumed.save("b", {"x": np.zeros(100)})
    assert resumed.load("b") is None


def test_dropped_checkpoints_stay_away_although_their_training_goes_on(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    kept = BlobCheckpoints(blobs)
    kept.begin("one")
    drop_checkpoints(blobs)
    kept.save("key", ARRAYS)
    assert blobs.list() == []


@pytest.fixture
def engine_with_events(make: Callable[..., Engine]) -> Engine:
    engine = make()
    engine.track(
        [
            {
                "type": "track",
                "event": "Product Viewed",
                "messageId": f"{user}-{item}",
                "userId": f"person {user}",
                "properties": {"product_id": f"item {(user + item) % 9}"},
            }
            for user in range(12)
            for item in range(4)
        ],
        source="backend",
    )
    return engine


def test_a_training_that_ends_well_leaves_none(engine_with_events: Engine) -> None:
    engine_with_events.train()
    assert engine_with_events.core.blobs.folders(FOLDER) == []


def test_what_a_dead_training_left_goes_with_whoever_is_erased(
    engine_with_events: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Models, "_store", dies)
    with pytest.raises(KeyboardInterrupt):
        engine_with_events.train()
    assert len(engine_with_events.core.blobs.folders(FOLDER)) == 1
    engine_with_events.privacy.erase("person 3")
    assert engine_with_events.core.blobs.folders(FOLDER) == []
