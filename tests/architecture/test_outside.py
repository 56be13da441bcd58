"""What `make test-all` sets up beyond Python packages is really there and works."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from bespeak.learn.rankers.trees import lightgbm

pytestmark = pytest.mark.outside

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def test_a_chromium_runs_a_page_with_script(tmp_path):
    browser = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert browser, f"none of {', '.join(CHROMIUM_NAMES)} is on the path: run `make test-all`, which installs one"
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><p id=p>no</p><script>p.textContent = 'r' + 'an'</script>")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert '<p id="p">ran</p>' in done.stdout


def test_the_node_packages_are_the_locked_ones(root):
    folder = root / "tests" / "wire" / "node"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        found = json.loads((folder / "node_modules" / name / "package.json").read_text(encoding="utf-8"))
        assert found["version"] == version
        subprocess.run(["node", "-e", f"import('{name}')"], cwd=folder, capture_output=True, check=True, timeout=60)


def test_the_openmp_library_that_lightgbm_loads_is_there():
    assert lightgbm() is not None, "LightGBM does not load: run `make test-all`, which installs libgomp1"
