# SPDX-License-Identifier: Apache-2.0
"""The C runtime on every compiler and machine at hand: no warning, no libc, the same bytes."""

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cortex_m55 import run_on_cortex_m55
from long_tests import some

from edgefm.codecs import CODECS
from edgefm.network.program import OpKind
from edgefm.package.read import read_needs
from edgefm.package.records import Feature
from tests.golden.edit import header

Need = Callable[[str], str]

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"]

# What a board without a C library supplies, and one call that pulls everything in.
BARE_BOARD = """
#include <stddef.h>
#include <stdint.h>
#include "edgefm.h"
void *memcpy(void *to, const void *from, size_t n)
{ uint8_t *t = to; const uint8_t *f = from; while (n--) *t++ = *f++; return to; }
void *memmove(void *to, const void *from, size_t n)
{ uint8_t *t = to; const uint8_t *f = from;
  if (t < f) while (n--) *t++ = *f++; else while (n--) t[n] = f[n];
  return to; }
void *memset(void *to, int value, size_t n)
{ uint8_t *t = to; while (n--) *t++ = (uint8_t)value; return to; }
static uint8_t arena[1024];
void _start(void);
void _start(void)
{
    efm_model model;
    efm_host host = {0};
    efm_counters counters;
    if (efm_model_open(&model, arena, sizeof arena, arena, sizeof arena) == EFM_OK &&
        efm_run(&model, &host, arena, sizeof arena, &counters) == EFM_OK)
        for (;;) { }
}
"""


def _sources(root: Path) -> list[str]:
    return [str(path) for path in sorted((root / "native/src").rglob("*.c"))]


def _compile(root: Path, compiler: str, *arguments: str) -> None:
    result = subprocess.run([compiler, *arguments, f"-I{root / 'native/include'}"], text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def _switches() -> list[str]:
    native = Path(__file__).resolve().parents[2] / "native/src"
    config = (native / "config.h").read_text(encoding="utf-8")
    lists = "".join((native / path).read_text(encoding="utf-8")
                    for path in ("ops/list.h", "codecs/list.h"))
    return [*re.findall(r"^#ifndef (EFM_(?!CONFIG_H)\w+)", config, re.MULTILINE),
            *(f"EFM_WITH_{name}" for name in re.findall(r"X\(\d+, (\w+), ", lists))]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", some(["-O3", "-O0"], fast=1))
def test_no_compiler_warns(root: Path, need: Need, compiler: str, level: str) -> None:
    for source in _sources(root):
        _compile(root, need(compiler), *STRICT, level, "-c", source, "-o", "/dev/null")


@pytest.mark.long
@pytest.mark.parametrize("switch", _switches())
def test_every_switch_can_be_turned_off(root: Path, need: Need, tmp_path: Path,
                                        switch: str) -> None:
    _compile_without(root, need("gcc"), tmp_path, switch)


def test_all_switches_can_be_turned_off_together(root: Path, need: Need, tmp_path: Path) -> None:
    _compile_without(root, need("gcc"), tmp_path, *_switches())


def _compile_without(root: Path, compiler: str, folder: Path, *switches: str) -> None:
    """A shared library, complete without these."""
    _compile(root, compiler, *STRICT, "-O0", *(f"-D{switch}=0" for switch in switches), "-shared",
             "-fPIC", "-Wl,--no-undefined", *_sources(root), "-o", str(folder / "lib.so"))


def test_a_cortex_m4_links_without_libc(root: Path, need: Need, tmp_path: Path) -> None:
    board = tmp_path / "board.c"
    board.write_text(BARE_BOARD)
    _compile(root, need("arm-none-eabi-gcc"), *CORTEX_M4, "-std=c11", "-Os", "-ffreestanding",
             "-nostdlib", "-fno-tree-loop-distribute-patterns", "-Wl,--fatal-warnings", str(board),
             *_sources(root), "-lgcc", "-o", str(tmp_path / "board.elf"))


def test_sizes_stay_within_their_budgets(root: Path, need: Need) -> None:
    need("arm-none-eabi-gcc")
    result = subprocess.run([sys.executable, str(root / "tools/size.py")], text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def _selfcheck(root: Path, compiler: str, target: Path, *arguments: str) -> Path:
    _compile(root, compiler, "-std=c11", "-O2", *arguments,
             str(root / "tests/native/selfcheck.c"), *_sources(root), "-o", str(target))
    return target


def _report(root: Path, *command: str) -> str:
    packages = sorted(str(path) for path in (root / "tests/golden/good").glob("*.efm"))
    assert packages, "no golden packages"
    result = subprocess.run([*command, *packages], text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def expected(root: Path, need: Need, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What this machine's plain C build says about the golden packages."""
    target = tmp_path_factory.mktemp("selfcheck") / "plain"
    report = _report(root, str(_selfcheck(root, need("gcc"), target)))
    assert all(line.startswith("EFM_OK ") for line in report.splitlines()), report
    return report


def test_a_build_without_codecs_refuses_coded_maps_and_runs_the_rest(
        root: Path, need: Need, tmp_path: Path, expected: str) -> None:
    off = [f"-DEFM_WITH_{codec.name.upper()}=0" for codec in CODECS.values() if codec.id != 0]
    target = _selfcheck(root, need("gcc"), tmp_path / "raw", "-g", *off,
                        "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    packages = sorted((root / "tests/golden/good").glob("*.efm"))
    features = [read_needs(package.read_bytes()).features for package in packages]
    wanted = ["EFM_BAD_FEATURE" if needs & Feature.CODED else line
              for needs, line in zip(features, expected.splitlines(), strict=True)]
    assert _report(root, str(target)).splitlines() == wanted
    hidden = tmp_path / "hidden.efm"  # coded or paired maps of which the header does not tell
    for package, needs in zip(packages, features, strict=True):
        if needs & Feature.CODED:
            hidden.write_bytes(header("features", 0)(package.read_bytes()))
            done = subprocess.run([target, hidden], text=True, capture_output=True, check=True)
            assert done.stdout == "EFM_BAD_FEATURE\n", package.name


def test_a_build_without_stored_maps_refuses_them_and_runs_the_rest(
        root: Path, need: Need, tmp_path: Path, expected: str) -> None:
    target = _selfcheck(root, need("gcc"), tmp_path / "inside", "-g", "-DEFM_WITH_MAPS=0",
                        "-DEFM_KERNEL_X86=0", "-fsanitize=address,undefined",
                        "-fno-sanitize-recover=all")
    packages = sorted((root / "tests/golden/good").glob("*.efm"))
    needs = [read_needs(package.read_bytes()) for package in packages]
    wanted = ["EFM_BAD_FEATURE" if {OpKind.LOAD, OpKind.STORE} & one.operators else line
              for one, line in zip(needs, expected.splitlines(), strict=True)]
    assert {"EFM_BAD_FEATURE"} < set(wanted)
    assert _report(root, str(target)).splitlines() == wanted
    hidden = tmp_path / "hidden.efm"  # maps of which the header does not tell
    for package, one in zip(packages, needs, strict=True):
        if {OpKind.LOAD, OpKind.STORE} & one.operators:
            hidden.write_bytes(header("features", 0)(package.read_bytes()))
            done = subprocess.run([target, hidden], text=True, capture_output=True, check=True)
            assert done.stdout == "EFM_BAD_FEATURE\n", package.name


@pytest.mark.parametrize("compiler", some(["clang", "gcc"], fast=1))
def test_sanitizers_have_nothing_to_say(root: Path, need: Need, tmp_path: Path, expected: str,
                                        compiler: str) -> None:
    target = _selfcheck(root, need(compiler), tmp_path / "sanitized", "-g",
                        "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert _report(root, str(target)) == expected


@pytest.mark.parametrize(("compiler", "emulator"), [
    ("arm-linux-gnueabihf-gcc", "qemu-arm"), ("aarch64-linux-gnu-gcc", "qemu-aarch64")])
def test_other_machines_give_the_same_bytes(root: Path, need: Need, tmp_path: Path, expected: str,
                                            compiler: str, emulator: str) -> None:
    target = _selfcheck(root, need(compiler), tmp_path / "cross", "-static")
    assert _report(root, need(emulator), str(target)) == expected


def _kernels_alike(root: Path) -> list[str]:
    source = root / "native/src"
    kernels = sorted(map(str, (source / "kernels").rglob("*.c")))
    return [f"-I{source}", str(root / "tests/native/kernels_alike.c"), *kernels,
            *(str(source / f"{name}.c") for name in ("fixed", "rows"))]  # of builds for size


# With and without SDOT.
PROCESSORS = [("gcc", ("env",)), ("aarch64-linux-gnu-gcc", ("qemu-aarch64", "-cpu", "cortex-a53")),
              ("aarch64-linux-gnu-gcc", ("qemu-aarch64", "-cpu", "cortex-a76")),
              ("arm-linux-gnueabihf-gcc", ("qemu-arm", "-cpu", "cortex-a7"))]


@pytest.mark.parametrize(("compiler", "emulator"), PROCESSORS)
@pytest.mark.parametrize("options", some([("-O2",), ("-O3",), (
    "-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")], fast=1))
def test_the_chosen_kernel_gives_the_portable_ones_bits(
        root: Path, need: Need, tmp_path: Path, compiler: str, emulator: tuple[str, ...],
        options: tuple[str, ...]) -> None:
    program = tmp_path / "kernels"
    _compile(root, need(compiler), "-std=c11", *options, "-static", *_kernels_alike(root),
             "-o", str(program))
    assert _alike(need(emulator[0]), *emulator[1:], str(program)) != "portable"


def _alike(*command: str) -> str:
    """The name of the kernel that gave the portable one's bits."""
    return _name_of(subprocess.run(command, text=True, capture_output=True, check=False,
                                   timeout=300))


def _name_of(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.partition(":")[0]


def test_a_kernel_from_outside_the_tree_gives_the_portable_ones_bits(
        root: Path, need: Need, tmp_path: Path) -> None:
    """As docs/PORTING.md tells its author."""
    program = tmp_path / "alike"
    _compile(root, need("gcc"), "-std=c11", "-O2", "-fsanitize=address,undefined",
             "-fno-sanitize-recover=all", "-DEFM_KERNEL_X86=0", *_example(root),
             *_kernels_alike(root), "-o", str(program))
    assert _alike(str(program)) == "example"


def test_a_kernel_from_outside_the_tree_runs_networks(root: Path, need: Need, tmp_path: Path,
                                                      expected: str) -> None:
    target = _selfcheck(root, need("gcc"), tmp_path / "example", *_example(root))
    assert _report(root, str(target)) == expected


def _example(root: Path) -> list[str]:
    return ["-DEFM_KERNEL_EXTRA=efm_kernel_example", f"-I{root / 'native/src'}",
            str(root / "tests/native/kernel_example.c")]


@pytest.mark.parametrize(("field", "complaint"), [
    ('name = "ninechars"', "name: expected 1 to 8 characters"),
    ("conv_packings = 0", "packings: expected 1 << EFM_PACKING_ROWS in both"),
    ("depthwise_packings = 1 | 1u << EFM_PACKING_OWN", "packings: got 1 << EFM_PACKING_OWN"),
    ("alignment = 0", "alignment: got 0"), ("conv_pack = 0", "pack: expected both functions")])
def test_a_kernel_that_says_wrong_things_of_itself_is_told(
        root: Path, need: Need, tmp_path: Path, field: str, complaint: str) -> None:
    example = (root / "tests/native/kernel_example.c").read_text(encoding="utf-8")
    changed = re.sub(rf"\.{field.split(' ')[0]} = [^,}}]*", f".{field}", example)
    assert changed != example
    (tmp_path / "changed.c").write_text(changed)
    _compile(root, need("gcc"), "-std=c11", "-O0", "-DEFM_KERNEL_X86=0", *_example(root)[:2],
             str(tmp_path / "changed.c"), *_kernels_alike(root), "-o", str(tmp_path / "alike"))
    done = subprocess.run([tmp_path / "alike"], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout[:len(complaint)]) == (1, complaint)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs on x86-64 only")
@pytest.mark.parametrize(("name", "avx512", "avxvnni"), [
    ("avx512", 1, 0), ("avxvnni", 0, 1), ("avxvnni", 0, 2), ("avx2", 0, 0)])
def test_each_x86_kernel_gives_the_portable_ones_bits(root: Path, need: Need, tmp_path: Path,
                                                      name: str, avx512: int, avxvnni: int) -> None:
    program = tmp_path / "kernels"
    _compile(root, need("gcc"), "-std=c11", "-O2", f"-DEFM_KERNEL_AVX512={avx512}",
             f"-DEFM_KERNEL_AVXVNNI={avxvnni}", *_kernels_alike(root), "-o", str(program))
    ran = _alike(str(program))
    if ran != name:
        pytest.skip(f"this processor lacks {name} (it ran: {ran})")


def test_a_cortex_m55s_kernel_gives_the_portable_ones_bits(root: Path, need: Need,
                                                           tmp_path: Path) -> None:
    done = run_on_cortex_m55(root, need, tmp_path, _kernels_alike(root))
    assert _name_of(done) == "mve"


@pytest.mark.parametrize("flags", [("-Os",), ("-O0",), ("-O1", "-marm", "-march=armv6+fp")])
def test_the_dsp_kernel_gives_its_bits_however_it_is_compiled(root: Path, need: Need,
                                                              tmp_path: Path,
                                                              flags: tuple[str, ...]) -> None:
    """Its assembly finds labels by their addresses, which alignment and instruction set change."""
    program = tmp_path / "kernels"
    _compile(root, need("arm-linux-gnueabihf-gcc"), "-std=c11", *flags, "-static",
             "-DEFM_KERNEL_NEON=0", *_kernels_alike(root), "-o", str(program))
    assert _alike(need("qemu-arm"), str(program)) == "dsp"


@pytest.mark.parametrize(("compiler", "language"), [("gcc", "c11"), ("g++", "c++17")])
def test_the_public_headers_can_be_installed_alone(root: Path, need: Need, tmp_path: Path,
                                                   compiler: str, language: str) -> None:
    shutil.copytree(root / "native/include", tmp_path / "include")
    user = tmp_path / ("user.c" if compiler == "gcc" else "user.cpp")
    user.write_text("".join(f'#include "{path.name}"\n'
                            for path in sorted((tmp_path / "include").iterdir()))
                    + "const char *wanted(void) { return EFM_VERSION; }\n")
    result = subprocess.run([need(compiler), f"-std={language}", "-Wall", "-Wextra", "-Werror",
                             f"-I{tmp_path / 'include'}", "-c", str(user), "-o", "/dev/null"],
                            text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_librarys_version_is_the_packages(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    header = (root / "native/include/edgefm.h").read_text(encoding="utf-8")
    said = dict(re.findall(r"#define (EFM_VERSION\w*)\s+(\S+)", header))
    parts = [said[f"EFM_VERSION_{name}"] for name in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(parts) == said["EFM_VERSION"].strip('"') == project["version"]
