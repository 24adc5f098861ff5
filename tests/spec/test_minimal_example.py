# SPDX-License-Identifier: Apache-2.0
"""The least program needs the public headers alone, on a PC and on a Cortex-M4, and gives the
host's bytes."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgefm.runtime import Runtime

STRICT = ("-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Werror")
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "--specs=nosys.specs", "-Wl,--no-warnings")
Build = Callable[..., Path]


@pytest.fixture
def package(root: Path) -> bytes:
    return (root / "tests/golden/good/example.efm").read_bytes()


@pytest.fixture
def build(root: Path, tmp_path: Path, need: Callable[[str], str], package: bytes) -> Build:
    """Builds it as its first comment says, with one compiler and further options."""

    def call(compiler: str, *options: str) -> Path:
        (tmp_path / "package.inc").write_text(", ".join(map(str, package)))
        sources = [root / "examples/minimal/main.c", *(root / "native/src").rglob("*.c")]
        subprocess.run([need(compiler), *STRICT, *options, f"-I{root / 'native/include'}",
                        f"-I{tmp_path}", *sources, "-o", tmp_path / "minimal"], check=True)
        return tmp_path / "minimal"

    return call


def test_it_gives_the_hosts_bytes(build: Build, package: bytes) -> None:
    printed = subprocess.run([build("gcc")], capture_output=True, text=True, check=True).stdout
    with Runtime(package) as runtime:
        ramps = [np.arange(np.prod(tensor.shape)).astype(np.uint8).view(np.int8)
                 .astype(tensor.dtype).reshape(tensor.shape) for tensor in runtime.inputs]
        expected = [output.tobytes() for output in runtime.run(ramps).outputs]
    assert bytes(map(int, printed.split())) == b"".join(expected) != b""


def test_it_builds_for_a_cortex_m4(build: Build) -> None:
    program = build("arm-none-eabi-gcc", *CORTEX_M4)
    assert program.read_bytes()[:5] == b"\x7fELF\x01"


def test_it_includes_the_public_header_only(root: Path) -> None:
    text = (root / "examples/minimal/main.c").read_text(encoding="utf-8")
    assert re.findall(r'#include "(.+)"', text) == ["edgefm.h", "package.inc"]
    assert len(text[text.index("static"):].splitlines()) < 50
