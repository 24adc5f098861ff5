# SPDX-License-Identifier: Apache-2.0
"""What `./inv mpy` refuses; tests/firmware/test_micropython.py builds."""

import shutil
from pathlib import Path

import pytest

from edgefm.errors import BadInput, MissingTool
from host_tools.micropython import build


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like MicroPython."""
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "dynruntime.mk").write_text("$(error Error: not MicroPython)\n")
    return tmp_path


def test_a_folder_that_is_not_micropython_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a checkout of MicroPython"):
        build.build_mpy(tmp_path, "armv7m", tmp_path / "out")


def test_an_unknown_architecture_is_refused(checkout: Path) -> None:
    with pytest.raises(BadInput, match="architecture: got 'z80', expected one of armv6m"):
        build.build_mpy(checkout, "z80", checkout / "out")


def test_a_missing_compiler_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if "gcc" in name else name)
    with pytest.raises(MissingTool, match="armv7m needs arm-none-eabi-gcc"):
        build.build_mpy(checkout, "armv7m", checkout / "out")


def test_a_failing_build_is_its_first_complaint(checkout: Path) -> None:
    if build.missing("x64"):
        pytest.skip(f"needs {build.missing('x64')}")
    with pytest.raises(BadInput, match="edgefm.mpy for x64: .*not MicroPython"):
        build.build_mpy(checkout, "x64", checkout / "out")
    assert not (checkout / "out").exists()
