# SPDX-License-Identifier: Apache-2.0
"""Memory against multiply-adds: MobileNetV2 in column tiles, without external memory, lossless.

The network has random weights, its shapes are MobileNetV2's of any width and size. Each memory is
compiled with `--recompute`, run once on this machine, and compared with the same network planned
without a limit: every output and every map that both have, bit by bit. What the run counts is
compared with the plan. The arena is everything: rings, maps, scratch and control state; the caller
gives rows of the picture.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from _common import parser, print_command, print_table

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Graph
from edgefm.runtime import Runtime
from tests.support.networks import Network

# Expansion, channels at width 1, repeats, and the stride of the first.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
          (6, 320, 1, 1))


def main() -> None:
    """Print one row per memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--width", type=float, default=0.35)
    arguments.add_argument("--size", type=int, default=144, help="pixels of the picture's sides")
    arguments.add_argument("--fast", type=int, nargs="+", default=[27136, 20000, 15000],
                           metavar="BYTES")
    arguments.add_argument("--recompute", type=float, default=1.25, metavar="TIMES")
    options = arguments.parse_args()
    print_command()
    graph = mobilenet_v2(options.width, options.size)
    print_table(("fast memory", "arena", "multiply-adds, times", "picture read, times",
                 "weights read", "package", "bits", "counters"),
                _rows(graph, options.fast, options.recompute))


def _rows(graph: Graph, memories: list[int], times: float) -> Iterator[tuple[object, ...]]:
    model = Model(graph, graph, None, "")
    plain = compile_loaded(model, CompileOptions())
    inputs = random_inputs(graph, 1)
    expected = _maps(plain, inputs)
    for fast in memories:
        made = compile_loaded(model, CompileOptions(fast=fast, external=0, recompute=times))
        plan = made.plan
        got = _maps(made, inputs)
        alike = all(np.array_equal(got[name], expected[name]) for name in got)
        yield (f"{fast:,} B", f"{plan.fast_bytes:,}", f"{plan.macs / plain.plan.macs:.3f}",
               plan.input_read_bytes // plain.plan.input_read_bytes,
               f"{plan.weight_read_bytes:,}", f"{len(made.package):,}",
               "same" if alike else "differ", _counted(made, inputs))


def _maps(compiled: Compiled, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    with Runtime(compiled.package) as runtime:
        return dict(runtime.run(inputs, taps=True).taps)


def _counted(compiled: Compiled, inputs: list[np.ndarray]) -> str:
    with Runtime(compiled.package) as runtime:
        counters = runtime.run(inputs).counters
    plan = compiled.plan
    same = (counters.weight_read_bytes, counters.input_read_bytes) == (
        plan.weight_read_bytes, plan.input_read_bytes)
    return "same" if same else "differ"


def mobilenet_v2(width: float, size: int) -> Graph:
    """The network with random weights, 1,000 classes."""
    net = Network(1, name=f"mobilenet_v2 {width} {size}")
    x = net.conv(net.input(1, size, size, 3), _rounded(32 * width), stride=2, activation="relu6")
    for times, channels, repeats, stride in BLOCKS:
        made = _rounded(channels * width)
        for repeat in range(repeats):
            x = _block(net, x, times, made, 1 if repeat else stride)
    x = net.mean(net.conv(x, max(1280, int(1280 * width)), kernel=1, activation="relu6"))
    return net.graph(net.softmax(net.dense(x, 1000)))


def _block(net: Network, x: int, times: int, channels: int, stride: int) -> int:
    before = net.shape(x)[3]
    y = net.conv(x, times * before, kernel=1, activation="relu6") if times > 1 else x
    y = net.conv(net.depthwise(y, stride=stride, activation="relu6"), channels, kernel=1)
    return net.add(y, x) if stride == 1 and before == channels and times > 1 else y


def _rounded(channels: float) -> int:
    """A multiple of 8, not below nine tenths."""
    made = max(8, int(channels + 4) // 8 * 8)
    return made + 8 if made < 0.9 * channels else made


if __name__ == "__main__":
    main()
