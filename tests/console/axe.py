"""axe-core, which finds what keeps people with disabilities out of a page. Fetched from npm once, then in a cache."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.10.3"
FETCH_S = 60.0


def breaches(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now: each rule, with the elements that break it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ]


def _source() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runward-tests"
    file = cache / f"axe-core-{VERSION}.js"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _fetch(file)
    return file.read_text()


def _fetch(file: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("axe-core can't be fetched: there is no npm here")
    command = ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", str(file.parent)]
    packed = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
    if packed.returncode != 0:
        pytest.skip(f"axe-core can't be fetched: {packed.stderr.strip()[-200:]}")
    archive = file.parent / f"axe-core-{VERSION}.tgz"
    with tarfile.open(archive) as package:
        script = package.extractfile("package/axe.min.js")
        assert script is not None
        text = script.read()
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_bytes(text)
    partial.replace(file)
    archive.unlink()
