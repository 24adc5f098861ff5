# SPDX-License-Identifier: Apache-2.0
"""A package exported as C builds without a warning and gives the host's bytes."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from long_tests import some
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.package.read import read_needs
from edgefm.runtime import Runtime
from host_tools.outputs.c_project import Net, c_name, c_project, write_c_project

STRICT = ("-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
          "-ffunction-sections", "-fdata-sections", "-I.", "-Iedgefm/include")
PROCESSORS = (
    *(("arm-none-eabi-gcc", f"-mcpu=cortex-{name} -mthumb") for name in (
        "m0plus", "m3", "m4", "m7", "m33", "m55")),
    ("riscv64-unknown-elf-gcc", "-march=rv32imac -misa-spec=2.2 -mabi=ilp32 -ffreestanding"),
    ("aarch64-linux-gnu-gcc", "-march=armv8-a"), ("arm-linux-gnueabihf-gcc", "-Os"),
    ("gcc", "-Os"), ("clang", "-O2"))
MACHINES = (("gcc", "env"), ("arm-linux-gnueabihf-gcc", "qemu-arm"),
            ("aarch64-linux-gnu-gcc", "qemu-aarch64"))


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
    return exported(tmp_path / "c", package)


def exported(folder: Path, *packages: bytes, amalgamated: bool = False) -> Path:
    """The first is called net, the others net1, net2, …"""
    nets = [Net(package, "net.efm", f"net{number or ''}")
            for number, package in enumerate(packages)]
    write_c_project(c_project(nets, amalgamated), folder)
    return folder


def build(folder: Path, compiler: str, *options: str) -> Path:
    sources = [*folder.glob("*.c"), *folder.rglob("edgefm/**/*.c")]
    subprocess.run([compiler, *STRICT, "-Wl,--gc-sections", *options, *sources, "-o", "program"],
                   cwd=folder, check=True)
    return folder / "program"


def expected(package: bytes) -> bytes:
    """What the host makes of a ramp that begins again in every row it is asked for."""
    with Runtime(package) as runtime:
        ramps = [np.arange(np.prod(tensor.shape)).astype(np.uint8).view(np.int8)
                 .astype(tensor.dtype).reshape(tensor.shape) for tensor in runtime.inputs]
        return b"".join(output.tobytes() for output in runtime.run(ramps).outputs)


def printed(*command: str | Path) -> bytes:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return bytes(map(int, done.stdout.split()))


@pytest.mark.parametrize("options", [(), ("-DNET_AS_ARRAY", "-DEFM_KERNEL_X86=0")],
                         ids=["incbin", "array"])
def test_its_program_gives_the_hosts_bytes(folder: Path, package: bytes, options: tuple[str, ...],
                                           need: Callable[[str], str]) -> None:
    assert printed(build(folder, need("gcc"), *options)) == expected(package) != b""


@pytest.mark.parametrize("machine", some(MACHINES, fast=2), ids=" ".join)
def test_two_packages_share_one_amalgamated_runtime_and_one_arena(
        package: bytes, tmp_path: Path, machine: tuple[str, str],
        need: Callable[[str], str]) -> None:
    """The second has an operator that the first lacks, and needs a larger arena."""
    net = Network(4, name="other")
    other = compiled(net, net.softmax(net.dense(net.mean(net.input(1, 32, 32, 8)), 5)), tmp_path,
                     1 << 20)
    folder = exported(tmp_path / "c", package, other, amalgamated=True)
    assert {path.name for path in folder.iterdir()} == {"edgefm.c", "edgefm.h", "main.c", *(
        f"net{number}{end}" for number in ("", "1") for end in (".c", ".h", ".efm", "_bytes.h"))}
    compiler, emulator = machine
    program = build(folder, need(compiler), "-static")
    assert printed(need(emulator), program) == expected(package) + expected(other)
    assert "NET1_ARENA_BYTES]" in (folder / "main.c").read_text(encoding="utf-8")


def test_two_packages_of_one_name_are_refused(package: bytes) -> None:
    with pytest.raises(BadInput, match="got two packages that C calls net, expected files of"):
        c_project([Net(package, "a/net.efm", "net"), Net(package, "b/net.efm", "net")])


@pytest.mark.parametrize("processor", some(PROCESSORS, fast=0), ids=" ".join)
def test_it_compiles_for_every_processor(root: Path, folder: Path, processor: tuple[str, str],
                                         need: Callable[[str], str]) -> None:
    compiler, flags = processor
    string = [f"-I{root / 'firmware/boards/riscv'}"] if compiler.startswith("riscv") else []
    sources = [folder / "net.c", *folder.rglob("edgefm/**/*.c")]
    subprocess.run([need(compiler), *STRICT, *flags.split(), *string, "-c", *sources],
                   cwd=folder, check=True)


def test_the_header_is_for_cpp_too(folder: Path, need: Callable[[str], str]) -> None:
    subprocess.run([need("g++"), "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                    "-I.", "-Iedgefm/include", "-x", "c++", "net.h"], cwd=folder, check=True)


def constants(files: Mapping[str, bytes]) -> dict[str, str]:
    """The header's macros."""
    return dict(re.findall(r"^#define (\w+) \(?([-\w.]+)\)?", files["net.h"].decode(),
                           re.MULTILINE))


def test_the_header_says_what_the_package_says(package: bytes) -> None:
    files = c_project([Net(package, "net.efm", "net")])
    said = constants(files)
    with Runtime(package) as runtime:
        tensor = runtime.inputs[0]
        assert int(said["NET_ARENA_BYTES"].rstrip("u")) == read_needs(package).fast_bytes
    assert int(said["NET_PACKAGE_BYTES"].rstrip("u")) == len(package)
    assert np.float32(said["NET_INPUT_0_SCALE"].rstrip("f")) == np.float32(tensor.scale)
    assert int(said["NET_INPUT_0_ZERO_POINT"]) == tensor.zero_point
    assert (said["NET_INPUT_0_TYPE"], said["NET_INPUT_0_RANK"]) == ("EFM_TYPE_INT8", "4u")
    assert "#define NET_INPUT_0_SHAPE {1u, 24u, 24u, 8u}\n" in files["net.h"].decode()
    rows, row_bytes = (int(said[f"NET_INPUT_0_{name}"].rstrip("u"))
                       for name in ("ROWS", "ROW_BYTES"))
    assert tensor.name == "*/ int x; /*"
    assert rows * row_bytes == np.prod(tensor.shape) and rows == tensor.shape[1]


def test_what_the_package_does_without_is_switched_off(package: bytes) -> None:
    switched = c_project([Net(package, "net.efm", "net")])["edgefm/src/switches.h"].decode()
    off = set(re.findall(r"#define EFM_WITH_(\w+) 0", switched))
    assert {"DETECTION", "SOFTMAX", "CONTEXT", "CAPS"} <= off and "CONV" not in off


def test_a_network_without_external_maps_has_no_port(tmp_path: Path) -> None:
    net = Network(1, name="net")
    made = compiled(net, net.conv(net.input(1, 8, 8, 3), 4), tmp_path, 1 << 20)
    files = c_project([Net(made, "net.efm", "net")])
    assert b"begin_read" not in files["main.c"]
    assert constants(files)["NET_EXTERNAL_BYTES"] == "0u"


@pytest.mark.parametrize(("stem", "name"), [
    ("mobilenet-v2", "mobilenet_v2"), ("VWW 96", "vww_96"), ("1.0", "net_1_0"), ("int", "net_int"),
    ("*/", "net"), ("édgé", "dg"), ("main", "net_main")])
def test_any_files_name_becomes_an_identifier(stem: str, name: str) -> None:
    assert c_name(stem) == name


BARE = """
#include "vww.h"
static _Alignas(8) uint8_t arena[VWW_ARENA_BYTES];
static efm_counters counters;
static efm_model model;
int32_t pixels(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes);
int32_t scores(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes);
int start(void);
int start(void)
{
    const efm_host host = {.input = pixels, .output = scores};
    efm_status status = efm_model_open(&model, vww_package, VWW_PACKAGE_BYTES, arena, sizeof arena);
    return status == EFM_OK ? efm_run(&model, &host, arena, sizeof arena, &counters) : status;
}
"""
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-Os", "-ffreestanding", "-nostdlib", "-Wl,-e,start",
             "-Wl,--gc-sections", "-Wl,--unresolved-symbols=ignore-all")


@pytest.mark.parametrize(("option", "most"), [("-fno-lto", 16 * 1024), ("-flto", 15_600)])
def test_vww_96_and_its_runtime_are_small_on_a_cortex_m4(
        data_dir: Path, tmp_path: Path, option: str, most: int,
        need: Callable[[str], str]) -> None:
    """Code and constants without the package; memory beside the arena without the stack."""
    package = compile_model(data_dir / "models/vww_96_int8.tflite", CompileOptions(
        target="cortex-m4", pictures=False)).package
    write_c_project(c_project([Net(package, "vww.efm", "vww")]), tmp_path)
    (tmp_path / "main.c").write_text(BARE)
    sources = [*tmp_path.glob("*.c"), *tmp_path.rglob("edgefm/**/*.c")]
    subprocess.run([need("arm-none-eabi-gcc"), *(one for one in STRICT if one != "-O1"),
                    *CORTEX_M4, option, *sources, "-lgcc", "-o", "bare.elf"], cwd=tmp_path,
                   check=True)
    printed = subprocess.run([need("arm-none-eabi-size"), tmp_path / "bare.elf"], check=True,
                             capture_output=True, text=True).stdout.splitlines()[1].split()
    flash, data, zeroed = map(int, printed[:3])
    assert flash - len(package) <= most and data == 0
    assert zeroed - read_needs(package).fast_bytes <= 512
