# SPDX-License-Identifier: Apache-2.0
"""Documents tell the truth: their sizes are the build's, and the paths that they name exist."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.spec.test_layers import HOST_TOOLS_FLOORS, PYTHON_FLOORS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("edgefm", "host_tools", "native", "firmware", "tests", "docs", "tools", "benchmarks")
INSIDE = ("", "edgefm", "native/src", "native", "firmware/common", "tests")  # of short paths
EXPORTED = {"net.h", "net.c", "net_bytes.h", "edgefm.c"}  # that `edgefm export --c` writes
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)+/?|[\w-]+\.(?:py|c|h|md)")


def _documents(root: Path) -> Iterator[Path]:
    yield root / "README.md"
    yield from sorted((root / "docs").rglob("*.md"))


def _named(text: str) -> Iterator[str]:
    """The words of a document that look like files of this project."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        if PATH.fullmatch(quoted) and not quoted.startswith((".", "-")):
            yield quoted


def _exists(root: Path, name: str) -> bool:
    return any(list((root / folder).glob(name.rstrip("/"))) for folder in INSIDE) or (
        "/" not in name and any(list((root / folder).rglob(name)) for folder in FOLDERS))


@pytest.mark.parametrize("name", [str(path.relative_to(ROOT)) for path in _documents(ROOT)])
def test_paths_in_backticks_exist(root: Path, name: str) -> None:
    lost = sorted({one for one in _named((root / name).read_text(encoding="utf-8"))
                   if one not in EXPORTED and not _exists(root, one)})
    assert not lost, f"{name} names files that do not exist: {', '.join(lost)}"


@pytest.mark.parametrize("folder", ["edgefm", "host_tools"])
def test_the_picture_of_the_layout_has_every_package_on_its_floor(root: Path, folder: str) -> None:
    text = (root / "docs/DESIGN.md").read_text(encoding="utf-8")
    drawn = text.partition(f"\n {folder}/ ")[2].partition("\n ---")[0].splitlines()
    names = [re.split(r"   +", line.strip())[0].split() for line in drawn]
    there = {path.parent.name for path in (root / folder).glob("*/__init__.py")} | {
        path.stem for path in (root / folder).glob("[!_]*.py")}
    assert sorted(name for line in names for name in line) == sorted(there)
    floors = PYTHON_FLOORS if folder == "edgefm" else HOST_TOOLS_FLOORS
    level = {name: number for number, floor in enumerate(floors) for name in floor}
    heights = [{level[name] for name in line} for line in names]
    assert all(len(line) == 1 for line in heights)
    assert heights == sorted(heights, key=min, reverse=True)


def test_sizes_are_what_the_build_gives(root: Path, need: Callable[[str], str]) -> None:
    need("arm-none-eabi-gcc")
    done = subprocess.run([sys.executable, str(root / "tools/document.py"), "--check"], text=True,
                          capture_output=True, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"{done.stdout}./inv document writes what the build gives"


def test_mobilenet_v2s_runtime_fits_20_kib_of_a_cortex_m4(root: Path) -> None:
    said = re.search(r"operators of MobileNetV2 without codecs ([\d,]+)",
                     (root / "docs/PORTING.md").read_text(encoding="utf-8"))
    assert said and int(said[1].replace(",", "")) <= 20 * 1024  # the test above holds the figure
