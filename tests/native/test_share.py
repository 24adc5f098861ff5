# SPDX-License-Identifier: Apache-2.0
"""Firings that threads share: the same bytes, no data races, no part much larger than the others.

The program finds every firing worth sharing, however small, and is built with ThreadSanitizer.
"""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from native_build import RACES
from networks import Network
from packages import build

from edgefm.network.graph import Graph
from edgefm.planner import Target

Program = Callable[..., Path]
GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden" / "good").glob("*.efm"))


def alike(program: Path, paths: Sequence[Path], *options: str) -> list[tuple[int, int]]:
    """Of each package: runs that were shared out, and numbers of threads with other bytes."""
    done = subprocess.run([program, *options, *map(str, paths)], text=True, capture_output=True,
                          check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [(int(a), int(b)) for a, b in (line.split() for line in done.stdout.splitlines())]


def odd(height: int, width: int, channels: int, kernel: int, stride: int) -> Graph:
    """Convolutions of all kinds and what stands between them, on maps that divide by nothing."""
    net = Network(height + width)
    x = net.conv(net.input(1, height, width, 3), channels, kernel, stride)
    y = net.depthwise(x, kernel=3)
    y = net.add(net.conv(y, channels, 1), x)
    y = net.conv(net.depthwise(y, 2, kernel=5), channels + 2, 3, dilation=2)
    return net.graph(net.dense(net.mean(net.relu(net.resize(y, 2 * net.shape(y)[1], 3))), 7))


@pytest.fixture(name="program", scope="module")
def _program(native_program: Program) -> Path:
    return native_program("threads_alike", RACES)


def test_goldens_give_the_same_bytes_on_any_number_of_threads(program: Path) -> None:
    found = alike(program, GOLDEN)
    assert [wrong for _, wrong in found] == [0] * len(GOLDEN)
    assert sum(shared > 0 for shared, _ in found) > len(GOLDEN) // 2


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (7, 5, 3, 3, 1), (13, 11, 17, 3, 2),
                                   (1, 23, 5, 1, 1), (29, 1, 9, 3, 1), (9, 31, 66, 5, 2)])
@pytest.mark.parametrize("fast", [None, "least"])
def test_odd_maps_give_the_same_bytes(program: Path, tmp_path: Path, fast: str | None,
                                      shape: tuple[int, int, int, int, int]) -> None:
    graph = odd(*shape)
    plan = build(graph, cut="ops").plan if fast else None
    target = Target(fast_bytes=plan.fast_bytes, external_bytes=1 << 20) if plan else Target()
    (tmp_path / "odd.efm").write_bytes(build(graph, target).package)
    assert alike(program, [tmp_path / "odd.efm"])[0][1] == 0


def test_a_forked_process_goes_on_without_the_threads(program: Path) -> None:
    names = ("rings", "example", "uint8")
    paths = [path for path in GOLDEN if path.stem in names]
    assert [wrong for _, wrong in alike(program, paths, "-f")] == [0] * len(names)
