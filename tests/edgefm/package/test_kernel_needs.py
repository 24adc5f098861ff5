# SPDX-License-Identifier: Apache-2.0
"""A package says which loops of the DSP kernel it needs, and a build without the others agrees."""

import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.exporters.tflite import export_tflite
from edgefm.network.program import OpKind
from edgefm.package.kernel_needs import needs_conv_rows, needs_depthwise_windows
from edgefm.package.read import read_needs
from edgefm.package.records import OPERATOR, TILE, Section
from edgefm.runtime import Runtime
from host_tools.outputs.c_project import Net, c_project, write_c_project

WINDOW = (3, 3, 2, 2, 1, 1, 1, 1, 1)
ENOUGH = 3 * 48 + 8
OFF = ("EFM_WITH_CONV_ROWS 0", "EFM_WITH_DEPTHWISE_WINDOWS 0")


def sections(kind: OpKind, window: Sequence[int] = WINDOW, out: int = 4, scratch: int = ENOUGH,
             packing: int = 0, tiles: int = 1) -> dict[Section, bytes]:
    tile = TILE.pack(0, 0, 0, 0, 0, out, 0, 0, 0, packing, 0, 0, 0, 0)
    return {Section.OPERATORS: OPERATOR.pack(kind, 1, 1, 0, 0, 0, 9, 0, tiles, 0, scratch, 1, 0),
            Section.PARAMS: struct.pack("<9I", *window), Section.TILES: tile * tiles}


@pytest.mark.parametrize(("changed", "needs"), [
    ({}, False), ({"scratch": ENOUGH - 1}, True), ({"out": 3}, True), ({"tiles": 2}, True),
    ({"window": (5, 5, 1, 1, 1, 1, 2, 2, 1)}, True),
    ({"window": (3, 3, 1, 3, 1, 1, 1, 1, 1)}, True),
    ({"window": (3, 3, 1, 1, 1, 2, 1, 1, 1)}, True),
    ({"window": (3, 3, 1, 1, 1, 1, 1, 1, 2)}, True),
    ({"window": (3, 3, 1, 1, 2, 1, 1, 1, 1), "scratch": ENOUGH - 48}, False)])
def test_windows_are_for_what_is_not_3x3_with_scratch(changed: dict[str, object],
                                                      needs: bool) -> None:
    assert needs_depthwise_windows(sections(OpKind.DEPTHWISE, **changed)) == needs  # type: ignore[arg-type]
    assert not needs_depthwise_windows(sections(OpKind.CONV))


@pytest.mark.parametrize(("packing", "tiles", "needs"), [(0, 1, True), (1, 1, False), (1, 2, True),
                                                         (1, 0, True)])
def test_rows_are_for_plain_weights(packing: int, tiles: int, needs: bool) -> None:
    made = sections(OpKind.CONV, packing=packing, tiles=tiles)
    assert needs_conv_rows(made) == needs
    assert not needs_conv_rows(sections(OpKind.DEPTHWISE))


def package(folder: Path, target: str = "", kernel: int = 3) -> bytes:
    net = Network(2, name="net")
    x = net.conv(net.input(1, 24, 24, 3), 16, stride=2)
    x = net.conv(net.depthwise(x, kernel=kernel), 16, kernel=1)
    path = folder / "net.tflite"
    path.write_bytes(export_tflite(net.graph(net.dense(net.mean(x), 10))))
    options = CompileOptions(fast=1 << 20, pictures=False)
    return compile_model(path, options if not target else CompileOptions(
        fast=1 << 20, pictures=False, target=target)).package


def build(folder: Path, need: Callable[[str], str], data: bytes) -> Path:
    """An export's program with the DSP kernel, for any Arm."""
    write_c_project(c_project([Net(data, "net.efm", "net")], amalgamated=True), folder)
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-std=c11", "-Os", "-ffp-contract=off",
                    "-Wall", "-Wextra", "-Werror", "-static", "-DEFM_KERNEL_NEON=0", "-I.",
                    "edgefm.c", "net.c", "main.c", "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def test_an_export_without_these_loops_gives_the_hosts_bytes(
        tmp_path: Path, need: Callable[[str], str]) -> None:
    data = package(tmp_path, "cortex-m4")
    needs = read_needs(data)
    assert not needs.conv_rows and not needs.depthwise_windows
    program = build(tmp_path / "c", need, data)
    text = (tmp_path / "c/edgefm.c").read_text(encoding="utf-8")
    assert all(f"#define {switch}" in text for switch in OFF)
    done = subprocess.run([need("qemu-arm"), program], capture_output=True, check=True)
    ramp = np.arange(24 * 24 * 3).astype(np.uint8).view(np.int8).reshape(1, 24, 24, 3)
    with Runtime(package(tmp_path)) as runtime:
        expected = runtime.run([ramp]).outputs[0]
    assert bytes(map(int, done.stdout.split())) == expected.tobytes()


def test_a_runtime_without_a_loop_refuses_what_needs_it(
        tmp_path: Path, need: Callable[[str], str]) -> None:
    """An export of one package, run with another whose windows are 5x5."""
    folder = tmp_path / "c"
    build(folder, need, package(tmp_path, "cortex-m4"))
    other = package(tmp_path, "cortex-m4", kernel=5)
    assert read_needs(other).depthwise_windows
    made = c_project([Net(other, "net.efm", "net")], amalgamated=True)
    for name in ("net.h", "net.c", "net.efm", "main.c"):
        (folder / name).write_bytes(made[name])
    text = (folder / "main.c").read_text(encoding="utf-8")
    (folder / "main.c").write_text(text.replace("    return status ==", "    puts(efm_status_name("
                                                "status));\n    return status =="))
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-std=c11", "-Os", "-static",
                    "-DEFM_KERNEL_NEON=0", "-I.", "edgefm.c", "net.c", "main.c", "-o", "program"],
                   cwd=folder, check=True)
    done = subprocess.run([need("qemu-arm"), folder / "program"], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout) == (1, "EFM_BAD_OPERATOR\n")
