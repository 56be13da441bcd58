"""`--no-skips` turns every kind of skip into a failure, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

CASES = {
    "a marked test": "import pytest\n@pytest.mark.skip(reason='why not')\ndef test_x(): pass\n",
    "a call": "import pytest\ndef test_x(): pytest.skip('why not')\n",
    "a fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('why not')\ndef test_x(f): pass\n",
    "a whole module": "import pytest\npytest.skip('why not', allow_module_level=True)\n",
}


def _pytest(folder, root, *options):
    conftest = root / "tests" / "conftest.py"
    (folder / "conftest.py").write_text(conftest.read_text(encoding="utf-8"))
    (folder / "pytest.ini").write_text("[pytest]\nxfail_strict = true\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_a_skip_fails_under_no_skips(case, tmp_path, root):
    (tmp_path / "test_case.py").write_text(CASES[case])
    done = _pytest(tmp_path, root, "--no-skips")
    assert done.returncode not in (0, 5)
    assert "why not" in done.stdout


def test_a_skip_stays_a_skip_without_the_option(tmp_path, root):
    (tmp_path / "test_case.py").write_text(CASES["a call"])
    done = _pytest(tmp_path, root)
    assert done.returncode == 0
    assert "1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path, root):
    (tmp_path / "test_case.py").write_text("import pytest\n@pytest.mark.xfail\ndef test_x(): assert False\n")
    done = _pytest(tmp_path, root, "--no-skips")
    assert done.returncode == 0
    assert "1 xfailed" in done.stdout
