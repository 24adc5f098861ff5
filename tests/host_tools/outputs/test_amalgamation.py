# SPDX-License-Identifier: Apache-2.0
"""The runtime as one file: no warning on any processor, and the bytes of the many files."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cortex_m55 import run_on_cortex_m55
from long_tests import some

from edgefm.errors import BadInput
from edgefm.runtime.sources import runtime_files
from host_tools.outputs.amalgamation import amalgamated
from host_tools.outputs.c_names import defined

Need = Callable[[str], str]
STRICT = ("-std=c11", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
BARE_RISCV = ("-march=rv32imac", "-misa-spec=2.2", "-mabi=ilp32", "-ffreestanding")
PROCESSORS = (  # the first ones in every run
    ("arm-none-eabi-gcc", "-mcpu=cortex-m4 -mthumb -Os"),
    ("arm-none-eabi-gcc", "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard -Os"),
    ("riscv64-unknown-elf-gcc", " ".join((*BARE_RISCV, "-Os"))),
    ("arm-none-eabi-gcc", "-mcpu=cortex-m0plus -mthumb -O2"),
    ("arm-none-eabi-gcc", "-mcpu=cortex-m33 -mthumb -O2"),
    ("arm-none-eabi-gcc", "-mcpu=cortex-m7 -mthumb -O2"),
    ("arm-linux-gnueabihf-gcc", "-O2"), ("aarch64-linux-gnu-gcc", "-O2"), ("gcc", "-O2"),
    ("gcc", "-O0"), ("clang", "-O1"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edgefm.c and edgefm.h."""
    place = tmp_path_factory.mktemp("amalgamated")
    for name, data in amalgamated(runtime_files()).items():
        (place / name).write_bytes(data)
    return place


@pytest.mark.parametrize("processor", some(PROCESSORS, fast=3), ids=" ".join)
def test_no_processors_compiler_warns(root: Path, folder: Path, need: Need,
                                      processor: tuple[str, str]) -> None:
    compiler, flags = processor
    string = [f"-I{root / 'firmware/boards/riscv'}"] if compiler.startswith("riscv") else []
    subprocess.run([need(compiler), *STRICT, *flags.split(), *string, "-c", folder / "edgefm.c",
                    "-o", "/dev/null"], check=True)


def report(command: Sequence[str | Path], root: Path) -> str:
    """What selfcheck says of every golden package."""
    packages = sorted((root / "tests/golden/good").glob("*.efm"))
    return subprocess.run([*command, *packages], text=True, capture_output=True,
                          check=True).stdout


def selfcheck(root: Path, compiler: str, target: Path, *more: str | Path) -> Path:
    subprocess.run([compiler, "-std=c11", "-ffp-contract=off", *more,
                    root / "tests/native/selfcheck.c", "-o", target], check=True)
    return target


@pytest.fixture(scope="module")
def expected(root: Path, need: Need, tmp_path_factory: pytest.TempPathFactory) -> str:
    """By the many files, with the portable kernel."""
    target = tmp_path_factory.mktemp("many") / "selfcheck"
    sources = sorted((root / "native/src").rglob("*.c"))
    selfcheck(root, need("gcc"), target, "-O1", "-DEFM_KERNEL_X86=0",
              f"-I{root / 'native/include'}", *sources)
    said = report([target], root)
    assert said.count("EFM_OK") == len(said.splitlines()) > 20
    return said


@pytest.mark.parametrize("machine", some([
    ("gcc", "env"), ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    ("aarch64-linux-gnu-gcc", "qemu-aarch64")], fast=1), ids=" ".join)
def test_golden_packages_give_the_same_bytes(root: Path, folder: Path, need: Need, tmp_path: Path,
                                             expected: str, machine: tuple[str, str]) -> None:
    compiler, emulator = machine
    target = selfcheck(root, need(compiler), tmp_path / "selfcheck", "-O1", "-static",
                       f"-I{folder}", folder / "edgefm.c")
    assert report([need(emulator), target], root) == expected


def test_a_program_with_it_runs_on_a_cortex_m55(root: Path, folder: Path, need: Need,
                                                tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "edgefm.h"\n'
        'int main(void)\n{\n    printf("%s %s\\n", efm_version(), efm_kernels());\n'
        "    return 0;\n}\n")
    done = run_on_cortex_m55(root, need, tmp_path, [
        f"-I{folder}", str(folder / "edgefm.c"), str(tmp_path / "main.c")])
    assert done.stdout.split()[1:] == ["mve"], done.stderr


TREE = {
    "include/edgefm_status.h": "#ifndef EDGEFM_STATUS_H\n#define EDGEFM_STATUS_H\n#endif\n",
    "include/edgefm.h": '#ifndef EDGEFM_H\n#define EDGEFM_H\n#include "edgefm_status.h"\n'
                        '#define EFM_VERSION "1.2"\nint efm_one(void);\nint efm_two(void);\n'
                        "#endif\n",
    "src/tile.h": "#ifndef EFM_TILE_H\n#define EFM_TILE_H\nenum { SIDE = SIZE };\n"
                  "static inline int side(void)\n{\n    return SIDE;\n}\n#endif\n",
    "src/a/one.c": '#include "edgefm.h"\n#define SIZE 3\n#include "../tile.h"\n'
                   "typedef struct state {\n    int step;\n} state;\n"
                   "static int step(const state *s)\n{\n    return s->step * side();\n}\n"
                   "int efm_one(void)\n{\n    state s = {.step = 5};\n    return step(&s);\n}\n",
    "src/two.c": '#include "edgefm.h"\n#define SIZE 7\n#include "tile.h"\nenum { step = 11 };\n'
                 "typedef int state;\nint efm_two(void)\n{\n    state s = step;\n"
                 "    return s * side();\n}\n",
}


def test_names_and_macros_that_files_share_are_told_apart(need: Need, tmp_path: Path) -> None:
    made = amalgamated({path: text.encode() for path, text in TREE.items()})
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "main.c").write_text('#include "edgefm.h"\nint main(void)\n{\n'
                                     "    return efm_one() == 15 && efm_two() == 77 ? 0 : 1;\n}\n")
    subprocess.run([need("gcc"), *STRICT, "edgefm.c", "main.c", "-o", "main"], cwd=tmp_path,
                   check=True)
    subprocess.run([tmp_path / "main"], check=True)
    assert b"edgefm 1.2 " in made["edgefm.c"]


def test_no_name_is_defined_twice_in_kernels_of_other_processors(folder: Path) -> None:
    """No one compiler reads all of them. Between an #if and its #else a name may come again."""
    sections = re.split(r"^/\* src/.*\*/$", (folder / "edgefm.c").read_text(encoding="utf-8"),
                        flags=re.MULTILINE)
    homes = Counter(name for text in sections for name in defined(text))
    assert len(sections) > 100 and homes["kernels_portable_usable"] == 1
    assert [name for name, count in homes.items() if count > 1] == []


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(BadInput, match=r"^src/a/one.c includes '../tile.h', which is not among"):
        amalgamated({path: text.encode() for path, text in TREE.items() if "tile" not in path})
