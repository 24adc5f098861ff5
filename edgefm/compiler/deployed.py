# SPDX-License-Identifier: Apache-2.0
"""The result of every strategy: a network, the places of its maps, and their codecs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgefm.network.graph import Graph
from edgefm.package.write import CodedMap, Description, write_package
from edgefm.planner import Layout, Plan
from edgefm.rate_distortion import Rate


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """A network with its plan, codec and tables per index in `plan.maps`, and what a budget
    decided."""

    graph: Graph
    layout: Layout
    plan: Plan
    coded: Mapping[int, CodedMap]
    rate: Rate | None = None

    def package(self, description: Description | None = None) -> bytes:
        """The package; without a description it is for measuring only."""
        return write_package(self.graph, self.layout.program, self.plan, self.coded,
                             description or Description(""))
