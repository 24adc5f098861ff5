# SPDX-License-Identifier: Apache-2.0
"""Threads within one inference: wall time on idle cores, and how the work is divided."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edgefm.console.pool import cores
from edgefm.network.graph import Array
from edgefm.runtime import Runtime

HEADER = ("threads of one inference", "least wall ms", "times as fast", "busiest thread %",
          "cores here")
COUNTS = (1, 2, 4)
TURNS = 3   # inferences that follow each other: threads are awake from the second on


def rows(package: bytes, inputs: Sequence[Array], rounds: int) -> list[tuple[object, ...]]:
    """A row for each number of threads. They take turns, and the shortest time of each counts.

    More threads than this machine has cores are not timed. The shares of multiply-adds are exact.
    """
    runtimes = {count: Runtime(package, threads=count) for count in COUNTS}
    shares = {count: runtime.run(inputs).shares for count, runtime in runtimes.items()}
    least = dict.fromkeys((count for count in COUNTS if count <= cores()), float("inf"))
    for _ in range(rounds):
        for count in least:
            least[count] = min(least[count], _turn(runtimes[count], inputs))
    return [(count, least.get(count, "-"),
             f"{least[1] / least[count]:.2f}" if count in least else "-",
             100 * max(shares[count]) / sum(shares[count]) if shares[count] else 100.0, cores())
            for count in COUNTS]


def _turn(runtime: Runtime, inputs: Sequence[Array]) -> float:
    """The least milliseconds of some inferences."""
    times = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        runtime.run(inputs)
        times.append(1e3 * (time.perf_counter() - begin))
    return min(times)
