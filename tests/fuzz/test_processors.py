# SPDX-License-Identifier: Apache-2.0
"""Kernels of other processors do not mind forged packages either."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.processors import FLAGS, PROCESSORS, Finding, Processor, fuzz

SECONDS = 20
BROKEN = """
#include <stdint.h>
#include <stdlib.h>
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
    return seed %% most < size ? size : data != NULL;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile uint8_t *block = malloc(12);
    %s
    free((void *)block);
    return data[0] + size == 0;
}
"""


def _named(name: str) -> Processor:
    (processor,) = (one for one in PROCESSORS if one.name == name)
    return processor


@pytest.mark.long
@pytest.mark.parametrize("name", [one.name for one in PROCESSORS])
def test_nothing_is_found_in_a_short_while(need: Callable[[str], str], tmp_path: Path,
                                           name: str) -> None:
    processor = _named(name)
    need(processor.compiler)
    need(processor.emulator[0])
    assert fuzz(processor, SECONDS, tmp_path) > 500


def test_the_dsp_kernel_runs_every_kept_input(need: Callable[[str], str], tmp_path: Path) -> None:
    processor = _named("dsp")
    need(processor.compiler)
    need(processor.emulator[0])
    assert fuzz(processor, 0, tmp_path) > 300


@pytest.mark.parametrize(("fault", "status"), [
    ("block[16] = 1;", 128 + 11), ("block[-4096] = 1;", 128 + 11), ("block[12] = 1;", 128 + 6),
    ("block[-1] = 1;", 128 + 6), ("for (;;) { abort(); }", 128 + 6), ("block[11] = 1;", 0)])
def test_a_byte_beside_a_block_is_found(need: Callable[[str], str], root: Path, tmp_path: Path,
                                        fault: str, status: int) -> None:
    source, program, found = (tmp_path / name for name in ("broken.c", "broken", "found"))
    source.write_text(BROKEN % fault)
    source.with_name("input").write_bytes(b"abc")
    wrap = [flag for flag in FLAGS if flag.startswith("-Wl,")]
    subprocess.run([need("gcc"), "-O0", *wrap, str(source), str(root / "tests/fuzz/driver.c"),
                    "-o", str(program)], check=True)
    done = subprocess.run([str(program), "0", str(found), str(tmp_path / "input")], check=False,
                          capture_output=True)
    assert done.returncode == status
    assert not status or found.read_bytes() == b"abc"


def test_a_finding_is_reported_with_its_input(need: Callable[[str], str], tmp_path: Path) -> None:
    wrong = Processor("wrong", need("gcc"), ("env",), flags=("-Dinput_bytes=",))
    with pytest.raises(Finding, match="wrong: does not build"):
        fuzz(wrong, 0, tmp_path)
