# SPDX-License-Identifier: Apache-2.0
"""A small package with two inputs and two outputs, to write, read and damage."""

from edgefm.lower import lower
from edgefm.network.program import Program
from edgefm.package.write import Description, write_package
from edgefm.planner import Plan, analyze, load_target, make_plan
from tests.support.networks import Graph, Network


def small_network() -> Graph:
    net = Network(1, "uint8", "small ☃")
    a, b = net.input(1, 6, 5, 3), net.input(1, 6, 5, 4)
    both = net.concat(net.conv(a, 4), b)
    return net.graph(both, net.argmax(both))


def plan_of(graph: Graph, cut: str = "auto") -> tuple[Program, Plan]:
    layout = analyze(lower(graph))
    return layout.program, make_plan(layout, load_target(None), cut=cut)


def small_package() -> bytes:
    graph = small_network()
    return write_package(graph, *plan_of(graph, "ops"), {}, Description("ab"))
