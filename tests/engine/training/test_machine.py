import subprocess
import sys
from pathlib import Path

import pytest

from bespeak.engine.training.machine import free_bytes, memory_limit_bytes, peak_bytes


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MACHINE = {"proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable: 4000000 kB\n"}


def test_without_groups_it_is_what_the_machine_has_free(tmp_path: Path) -> None:
    root = written(tmp_path, MACHINE)
    assert free_bytes(root) == 4_000_000 * 1024
    assert memory_limit_bytes(0, root) == pytest.approx(0.8 * 4_000_000 * 1024)


def test_the_tightest_group_above_the_process_counts_and_files_that_can_go_do_not(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/shop"
    root = written(
        tmp_path,
        {
            **MACHINE,
            "proc/self/cgroup": "0::/shop/web\n",
            f"{group}/web/memory.max": "max\n",
            f"{group}/web/memory.current": "100\n",
            f"{group}/memory.max": "1000000000\n",
            f"{group}/memory.current": "600000000\n",
            f"{group}/memory.stat": "anon 400000000\ninactive_file 150000000\n",
        },
    )
    assert free_bytes(root) == 550_000_000


def test_the_groups_of_older_machines_count_too(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        {
            **MACHINE,
            "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "700000000",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "200000000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1",
        },
    )
    assert free_bytes(root) == 500_000_000


def test_what_is_given_holds_and_a_machine_that_tells_nothing_has_no_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(2.5, tmp_path) == 2.5e9
    assert memory_limit_bytes(0, tmp_path) is None


def test_the_peak_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    """A process that holds much and starts a small one."""
    program = "from bespeak.engine.training.machine import peak_bytes; print(peak_bytes())"
    ballast = b"x" * 400_000_000
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 1_000_000 < int(done.stdout) < len(ballast) < peak_bytes()


def test_this_machine_tells() -> None:
    free = free_bytes()
    assert free is None or free > 0
