# SPDX-License-Identifier: Apache-2.0
"""Plans by hand whose chains run in slices of channels."""

from edgefm.planner import Layout
from edgefm.planner.search import Choice
from edgefm.planner.stages import Stage


def in_slices(layout: Layout, strips: int, most: int = 3,
              fast: frozenset[int] = frozenset()) -> Choice:
    """Chains of at most `most` operators in slices, all else operator by operator."""
    stages, at, last = list[Stage](), 0, len(layout.program.ops)
    while at < last:
        chain = next((c for c in layout.chains.get(at, ()) if len(c.ops) <= most), None)
        stages.append(Stage(at, chain.last, strips, len(chain.ops)) if chain
                      else Stage(at, at + 1, strips))
        at = stages[-1].last
    return Choice(tuple(stages), fast, (0.0, 0.0))
