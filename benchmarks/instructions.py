# SPDX-License-Identifier: Apache-2.0
"""Measures how many instructions each unit of work takes, for `plan` to predict with.

    python benchmarks/instructions.py [PART OF A PROCESSOR'S NAME ...]

Small networks run on emulated processors, operator by operator, and are counted stage by stage.
What a unit takes is then fitted to the counts, never negative. A file for each processor goes to
edgefm/planner/counted. It takes some minutes a processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import _emulated
from benchmarks._micro import networks
from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.console.terminal import complain
from edgefm.files.write import write_file
from edgefm.network.graph import Array
from edgefm.planner.figures import FOLDER, Figures
from edgefm.planner.instructions import plan_work, run_work
from tests.counts.processors import PROCESSORS, Processor

MEASURED = {"cortex-m4": ("dsp", "cortex-m4"), "cortex-m4-pairs": ("dsp", "cortex-m4, pairs"),
            "cortex-m4-portable": ("portable", "cortex-m4, portable"),
            "cortex-m55": ("mve", "cortex-m55"), "cortex-m0plus": ("portable", "cortex-m0plus"),
            "rv32imac": ("portable", "rv32imac"), "aarch64-sdot": ("neondot", "aarch64, SDOT"),
            "aarch64": ("neon", "aarch64"),
            "armv7": ("neon32", "armv7")}  # by file: the kernel, and what is counted
Profile = Callable[[Compiled], list[int]]
LITTLE, POWER = 500, 0.75  # errors weigh by (instructions + LITTLE) ** -POWER
CLOSE, TINY, RIDGE = 1e-7, 1e-12, 1e-9


@dataclass(frozen=True, slots=True)
class Counted:
    """The units of a stage, or of what is around them, and the instructions they took."""

    work: Mapping[str, float]
    instructions: int
    what: str


def counted(kernel: str, compiled: Compiled, profile: Profile) -> Iterator[Counted]:
    """Each stage of a package, and the rest of its run."""
    *before, whole = profile(compiled)
    works = plan_work(compiled.program, compiled.plan, kernel)
    shifted = any(t.dtype == "uint8" for t in compiled.graph.tensors)
    for stage, work, first, end in zip(compiled.plan.stages, works, before, before[1:],
                                       strict=False):
        if shifted and ("input" in work or "output" in work):
            continue  # the signs of maps that come in or go out are flipped
        yield Counted(work, end - first, f"{compiled.graph.name}: {stage.name}")
    yield Counted(run_work(compiled.plan), whole - (before[-1] - before[0]),
                  f"{compiled.graph.name}: around")


def packages(processor: Processor) -> Iterator[Compiled]:
    """Each network twice: operator by operator as a whole, and row by row with maps outside."""
    for graph in networks():
        model = Model(graph, graph, None, "")
        for cut in ("auto", "ops"):
            yield compile_loaded(model, CompileOptions(cut=cut, target=processor.target,
                                                       packing=processor.packing))


@contextmanager
def profiling(processor: Processor) -> Iterator[Profile]:
    """What counts a package stage by stage on a processor."""
    with _emulated.own_boards():
        if processor.runner:
            program = _emulated.linux_program(processor.board)
            yield lambda compiled: _emulated.profile_linux(program, processor.compiler,
                                                           processor.runner, compiled)
        else:
            board = _emulated.start(processor.board, processor.defines)
            yield lambda compiled: _emulated.profile_on(board, compiled)


def fit(rows: Sequence[Counted]) -> dict[str, float]:
    """What each unit takes: the least squares of errors, those of long stages a little less."""
    names = sorted({unit for row in rows for unit, n in row.work.items() if n})
    at = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for unit, n in row.work.items():
            if n:
                matrix[i, at[unit]] = n
    wanted = np.array([row.instructions for row in rows], float)
    weight = (wanted + LITTLE) ** -POWER
    found = nonnegative(matrix * weight[:, None], wanted * weight)
    return {name: float(found[i]) for name, i in at.items() if found[i] > 0}


def nonnegative(matrix: Array, wanted: Array) -> Array:
    """The x >= 0 with the least squares of matrix @ x - wanted, by Lawson and Hanson."""
    size = np.sqrt((matrix ** 2).sum(axis=0)) + TINY
    scaled = matrix / size
    gram, target = scaled.T @ scaled + RIDGE * np.eye(len(size)), scaled.T @ wanted
    x = np.zeros(len(size))
    free = np.zeros(len(size), bool)
    while True:
        slope = target - gram @ x
        slope[free] = 0
        best = int(slope.argmax())
        if slope[best] <= CLOSE:
            return np.asarray(x / size)
        free[best] = True
        while True:
            trial = np.zeros(len(size))
            trial[free] = np.linalg.solve(gram[np.ix_(free, free)], target[free])
            below = free & (trial <= 0)
            if not below.any():
                break
            step = (x[below] / (x[below] - trial[below] + TINY)).min()
            x += step * (trial - x)
            free &= x > TINY
        x = trial


def measured(name: str) -> Figures:
    """The figures of a file, counted."""
    kernel, processor = MEASURED[name]
    rows: list[Counted] = []
    start = time.monotonic()
    with profiling(PROCESSORS[processor]) as profile:
        for compiled in packages(PROCESSORS[processor]):
            rows += counted(kernel, compiled, profile)
    complain(f"{name}: {len(rows)} stages in {time.monotonic() - start:.0f} s")
    return Figures(name, kernel, fit(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, fit, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wanted", nargs="*", metavar="PART", help="of the names of processors")
    wanted = parser.parse_args(arguments).wanted
    for name, (_, processor) in MEASURED.items():
        lack = PROCESSORS[processor].lacks()
        if wanted and not any(part in name for part in wanted):
            continue
        if lack is not None:
            complain(f"{name}: needs the program {lack}")
            continue
        write_file(FOLDER / f"{name}.json", measured(name).to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
