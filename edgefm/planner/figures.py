# SPDX-License-Identifier: Apache-2.0
"""How many instructions each unit of work takes on a processor.

`benchmarks/instructions.py` measures that on emulated processors, and writes a file for each of
them to edgefm/planner/counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("counted")


@dataclass(frozen=True, slots=True)
class Figures:
    """Instructions of each unit on a processor that runs the loops of `kernel`."""

    processor: str
    kernel: str
    units: Mapping[str, float] = field(repr=False)

    def of(self, work: Mapping[str, float]) -> float:
        """Instructions of some work; units that were never measured take none."""
        return sum(count * self.units.get(unit, 0.0) for unit, count in work.items())

    def to_json(self) -> str:
        """The text of the figures' file."""
        units = {unit: float(f"{value:.5g}") for unit, value in sorted(self.units.items())}
        return json.dumps({"processor": self.processor, "kernel": self.kernel, "units": units},
                          indent=1) + "\n"


@cache
def figures_of(processor: str) -> Figures | None:
    """What was measured on a processor, None without a file."""
    if processor not in PROCESSORS:
        return None
    return Figures(**json.loads((FOLDER / f"{processor}.json").read_text(encoding="utf-8")))


PROCESSORS = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
