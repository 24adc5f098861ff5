# SPDX-License-Identifier: Apache-2.0
"""What Python packs and reserves for the DSP kernels is what they take, to the byte."""

import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgefm.kernels.dsp import SUITS
from edgefm.kernels.tile import ONCE, TWICE, Requantization
from edgefm.network.program import Op, OpKind, Program, Stream

# kernel, stride, padding, input map, output channels
CASES = {
    "pointwise": (1, 1, 0, (5, 7, 12), 6), "odd": (1, 1, 0, (3, 3, 7), 5),
    "pixel": (1, 1, 0, (1, 1, 40), 9), "strided": (1, 2, 0, (5, 5, 16), 4),
    "window": (3, 1, 1, (5, 6, 8), 7), "few channels": (3, 2, 1, (9, 9, 3), 8),
    "large window": (7, 1, 3, (8, 8, 8), 3), "row": (1, 1, 0, (1, 2, 24), 2)}
OK, BAD_OPERATOR = 0, -9

Run = Callable[[Program, Op, bytes], tuple[int, bytes]]


def operator(case: str, rounding: int = TWICE, weight_zero: int = 0) -> tuple[Program, bytes]:
    """A convolution of packing ROWS and a map for it."""
    kernel, stride, pad, (height, width, channels), out = CASES[case]
    rng = np.random.default_rng(list(CASES).index(case))
    rows, pixels = ((n + 2 * pad - kernel) // stride + 1 for n in (height, width))
    depth = kernel * kernel * channels
    weights = rng.integers(-127, 128, (out, depth))
    weights[:, -1] = -128  # some pairs of channels cannot be halves
    weights[1::2, -1] = rng.integers(-1, 1, len(weights[1::2])) * 128
    one = np.ones(out, np.int64)
    table = Requantization(rng.integers(-9999, 9999, out), one << 30, rng.integers(-12, -3, out),
                           0 * one, rounding, weight_zero, -5, (-100, 127)).table(weights)
    op = Op(OpKind.CONV, case, (0,), (1,), (kernel, kernel, stride, stride, 1, 1, pad, pad),
            table + weights.astype(np.int8).tobytes())
    program = Program("net", (Stream("x", height, width, channels),
                              Stream("y", rows, pixels, out)), (op,))
    return program, rng.integers(0, 256, height * width * channels).astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def run(root: Path, need: Callable[[str], str],
        tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Checks and runs an operator with the DSP kernel, under emulation."""
    program_file = tmp_path_factory.mktemp("conv") / "once"
    source = root / "native/src"
    compiler, emulator = need("arm-linux-gnueabihf-gcc"), need("qemu-arm")
    subprocess.run([compiler, "-std=c11", "-O2", "-static", "-DEFM_KERNEL_NEON=0", f"-I{source}",
                    f"-I{root / 'native/include'}", str(root / "tests/native/conv_once.c"),
                    *map(str, (source / "kernels").rglob("*.c")), str(source / "ops/conv.c"),
                    *(str(source / f"ops/{name}.c") for name in ("windows", "convolution")),
                    "-o", str(program_file)], check=True)

    def once(program: Program, op: Op, x: bytes) -> tuple[int, bytes]:
        maps = [n for i in (*op.inputs, *op.outputs) for n in (
            program.streams[i].height, program.streams[i].width, program.streams[i].channels)]
        head = struct.pack("<17i", *maps, op.packing, len(op.weights), op.scratch, *op.params)
        done = subprocess.run([emulator, str(program_file)], input=head + x + op.weights,
                              capture_output=True, check=True)
        status, _, y = done.stdout.partition(b"\n")
        return int(status), y
    return once


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("rounding", "weight_zero"), [(TWICE, 0), (ONCE, 0), (TWICE, 9)])
def test_every_packing_gives_the_same_bytes(run: Run, case: str, rounding: int,
                                            weight_zero: int) -> None:
    program, x = operator(case, rounding, weight_zero)
    plain = program.ops[0]
    status, expected = run(program, replace(plain, scratch=2 * len(plain.weights)), x)
    assert status == OK
    assert len(set(expected)) > 1
    for suits in SUITS.values():
        op = suits[OpKind.CONV](program, plain)
        for scratch in (op.scratch, (op.scratch + op.scratch_most) // 2, op.scratch_most):
            assert run(program, replace(op, scratch=scratch), x) == (OK, expected)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packing", ["halves", "pairs"])
def test_scratch_for_less_than_a_pixel_is_refused(run: Run, case: str, packing: str) -> None:
    program, x = operator(case)
    op = SUITS[packing][OpKind.CONV](program, program.ops[0])
    assert run(program, replace(op, scratch=8), x)[0] == BAD_OPERATOR


def test_a_tile_of_another_size_is_refused(run: Run) -> None:
    program, x = operator("odd")
    for suits in SUITS.values():
        op = suits[OpKind.CONV](program, program.ops[0])
        for weights in (op.weights[:-1], op.weights + bytes(1), op.weights[:9]):
            assert run(program, replace(op, weights=weights), x)[0] == BAD_OPERATOR


@pytest.mark.parametrize(("window", "channels", "width", "expected"), [
    ((3, 3, 1, 1, 1, 1, 1, 1, 1), 8, 14, (440, 440)),
    ((3, 3, 1, 1, 1, 1, 1, 1, 1), 8, 112, (48 + 8 * 56, 48 + 32 * 56)),
    ((3, 3, 2, 2, 1, 1, 1, 1, 1), 8, 56, (48 + 4 * 104, 48 + 16 * 104)),
    ((5, 5, 1, 1, 1, 1, 2, 2, 1), 8, 14, (40, 0)), ((3, 3, 1, 1, 1, 1, 1, 1, 2), 8, 14, (40, 0)),
    ((3, 3, 1, 1, 1, 1, 1, 1, 1), 3, 14, (15, 0)),
    ((3, 3, 1, 1, 1, 1, 1, 1, 1), 960, 7, (4800, 4800))])
def test_depthwise_has_scratch_for_planes(window: tuple[int, ...], channels: int, width: int,
                                          expected: tuple[int, int]) -> None:
    program = Program("net", (Stream("x", 9, width * window[3], channels),
                              Stream("y", 9, width, channels)), ())
    op = SUITS["halves"][OpKind.DEPTHWISE](
        program, Op(OpKind.DEPTHWISE, "dw", (0,), (1,), window, scratch=5 * channels))
    assert (op.scratch, op.scratch_most) == expected
