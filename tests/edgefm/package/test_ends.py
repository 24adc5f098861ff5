# SPDX-License-Identifier: Apache-2.0
"""A package's inputs and outputs in words."""

from networks import Network
from packages import build

from edgefm.package.ends import end_text, ends_fields, ends_text
from edgefm.package.read import read_info


def test_ends_are_told_in_one_line_and_by_name() -> None:
    net = Network(1)
    x = net.input(1, 8, 9, 3)
    info = read_info(build(net.graph(net.conv(x, 4), net.argmax(net.mean(x)))).package)
    assert ends_text(info) == "int8 1x8x9x3 -> int8 1x8x9x4, int32 1"
    one = info.inputs[0]
    assert end_text(one) == f"int8 1x8x9x3, scale 0.05, zero point {one.zero_point}"
    assert list(ends_fields(info)) == ["input t0", *(f"output {o.name}" for o in info.outputs)]


def test_a_packages_description_prints_short() -> None:
    net = Network(1)
    x = net.input(1, 8, 8, 3)
    for _ in range(20):
        x = net.conv(x, 4)
    built = build(net.graph(x))
    assert len(repr(read_info(built.package))) < 600
