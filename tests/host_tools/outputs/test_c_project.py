# SPDX-License-Identifier: Apache-2.0
"""A package exported as C builds without a warning and gives the host's bytes."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.exporters.tflite import export_tflite
from edgefm.package.read import read_needs
from edgefm.runtime import Runtime
from host_tools.outputs.c_project import c_name, c_project, write_c_project

STRICT = ("-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
          "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-I.", "-Iedgefm/include")
TARGETS = {
    "arm-none-eabi-gcc": ("-mcpu=cortex-m0plus", "-mcpu=cortex-m4", "-mcpu=cortex-m33",
                          "-mcpu=cortex-m55"),
    "aarch64-linux-gnu-gcc": ("-march=armv8-a",),
}


def compiled(net: Network, result: int, folder: Path, fast: int) -> bytes:
    """A network's package within a fast memory."""
    path = folder / "source.tflite"
    path.write_bytes(export_tflite(net.graph(result)))
    return compile_model(path, CompileOptions(fast=fast, pictures=False)).package


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    """One with a map in external memory; its input's name tries to end a comment."""
    net = Network(3, name="net")
    x = net.input(1, 24, 24, 8)
    net.tensors[x] = replace(net.tensors[x], name="*/ int x; /*")
    for _ in range(3):
        x = net.conv(x, 8)
    return compiled(net, x, tmp_path, 4 << 10)


@pytest.fixture
def folder(package: bytes, tmp_path: Path) -> Path:
    write_c_project(c_project(package, "net.efm", "net"), tmp_path / "c")
    return tmp_path / "c"


def build(folder: Path, compiler: str, *options: str) -> Path:
    sources = [*folder.glob("*.c"), *folder.rglob("edgefm/**/*.c")]
    subprocess.run([compiler, *STRICT, *options, *sources, "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def expected(package: bytes) -> bytes:
    """What the host makes of a ramp that begins again in every row it is asked for."""
    with Runtime(package) as runtime:
        ramps = [np.arange(np.prod(tensor.shape)).astype(np.uint8).view(np.int8)
                 .astype(tensor.dtype).reshape(tensor.shape) for tensor in runtime.inputs]
        return b"".join(output.tobytes() for output in runtime.run(ramps).outputs)


@pytest.mark.parametrize("options", [(), ("-DNET_AS_ARRAY",)], ids=["incbin", "array"])
def test_its_program_gives_the_hosts_bytes(folder: Path, package: bytes, options: tuple[str, ...],
                                           need: Callable[[str], str]) -> None:
    program = build(folder, need("gcc"), *options)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert bytes(map(int, printed.split())) == expected(package) != b""


@pytest.mark.long
@pytest.mark.parametrize(("compiler", "flags"), [(compiler, flags) for compiler, each in
                                                 TARGETS.items() for flags in each])
def test_its_runtime_compiles_for_every_target(folder: Path, compiler: str, flags: str,
                                               need: Callable[[str], str]) -> None:
    sources = [folder / "net.c", *folder.rglob("edgefm/**/*.c")]
    subprocess.run([need(compiler), *(one for one in STRICT if "-Wl," not in one), *flags.split(),
                    "-c", *sources], cwd=folder, check=True)


def test_the_header_is_for_cpp_too(folder: Path, need: Callable[[str], str]) -> None:
    subprocess.run([need("g++"), "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                    "-I.", "-Iedgefm/include", "-x", "c++", "net.h"], cwd=folder, check=True)


def constants(files: Mapping[str, bytes]) -> dict[str, str]:
    """The header's macros."""
    return dict(re.findall(r"^#define (\w+) \(?([-\w.]+)\)?", files["net.h"].decode(),
                           re.MULTILINE))


def test_the_header_says_what_the_package_says(package: bytes) -> None:
    said = constants(c_project(package, "net.efm", "net"))
    with Runtime(package) as runtime:
        tensor = runtime.inputs[0]
        assert int(said["NET_ARENA_BYTES"].rstrip("u")) == read_needs(package).fast_bytes
    assert int(said["NET_PACKAGE_BYTES"].rstrip("u")) == len(package)
    assert np.float32(said["NET_INPUT_0_SCALE"].rstrip("f")) == np.float32(tensor.scale)
    assert int(said["NET_INPUT_0_ZERO_POINT"]) == tensor.zero_point
    rows, row_bytes = (int(said[f"NET_INPUT_0_{name}"].rstrip("u"))
                       for name in ("ROWS", "ROW_BYTES"))
    assert tensor.name == "*/ int x; /*"
    assert rows * row_bytes == np.prod(tensor.shape) and rows == tensor.shape[1]


def test_what_the_package_does_without_is_switched_off(package: bytes) -> None:
    switched = c_project(package, "net.efm", "net")["edgefm/src/switches.h"].decode()
    off = set(re.findall(r"#define EFM_WITH_(\w+) 0", switched))
    assert {"DETECTION", "SOFTMAX", "CONTEXT", "CAPS"} <= off and "CONV" not in off


def test_a_network_without_external_maps_has_no_port(tmp_path: Path) -> None:
    net = Network(1, name="net")
    made = compiled(net, net.conv(net.input(1, 8, 8, 3), 4), tmp_path, 1 << 20)
    files = c_project(made, "net.efm", "net")
    assert b"begin_read" not in files["main.c"]
    assert constants(files)["NET_EXTERNAL_BYTES"] == "0u"


@pytest.mark.parametrize(("stem", "name"), [
    ("mobilenet-v2", "mobilenet_v2"), ("VWW 96", "vww_96"), ("1.0", "net_1_0"), ("int", "net_int"),
    ("*/", "net"), ("édgé", "dg"), ("main", "net_main")])
def test_any_files_name_becomes_an_identifier(stem: str, name: str) -> None:
    assert c_name(stem) == name
