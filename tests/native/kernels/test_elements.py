# SPDX-License-Identifier: Apache-2.0
"""ADD, MUL and sums of pixels in each processor's own way give the bits of their meaning."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cortex_m55 import run_on_cortex_m55

SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")


@pytest.mark.parametrize(("own", "emulator", "command"), [
    ("vectors", "env", ("gcc", *SANITIZED)),
    ("portable", "env", ("gcc", "-DEFM_KERNEL_ELEMENTS=0")),
    ("vectors", "qemu-aarch64", ("aarch64-linux-gnu-gcc", "-static")),
    ("vectors", "qemu-arm", ("arm-linux-gnueabihf-gcc", "-static", "-mfpu=neon")),
    ("dsp", "qemu-arm", ("arm-linux-gnueabihf-gcc", "-static", "-mfpu=vfpv3-d16")),
])
def test_what_the_processor_does_is_as_meant(root: Path, need: Callable[[str], str],
                                             tmp_path: Path, own: str, emulator: str,
                                             command: tuple[str, ...]) -> None:
    program, source = tmp_path / "alike", root / "native/src"
    subprocess.run([need(command[0]), *command[1:], "-std=c11", "-O2", *WARNINGS, f"-I{source}",
                    f"-I{root / 'native/include'}", str(root / "tests/native/elements_alike.c"),
                    *map(str, sorted((source / "kernels/elements").glob("*.c"))),
                    "-o", str(program)], check=True)
    _check(subprocess.run([need(emulator), program], text=True, capture_output=True, check=False),
           own)


def test_a_cortex_m55s_vectors_are_as_meant(root: Path, need: Callable[[str], str],
                                            tmp_path: Path) -> None:
    elements = map(str, sorted((root / "native/src/kernels/elements").glob("*.c")))
    _check(run_on_cortex_m55(root, need, tmp_path, [
        *WARNINGS, str(root / "tests/native/elements_alike.c"), *elements]), "vectors")


def _check(done: subprocess.CompletedProcess[str], own: str) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    name, elements = done.stdout.split(" elements")[0].split(": ")
    assert name == own
    assert (int(elements) > 200_000) == (own != "portable")  # real layers take the quick way
