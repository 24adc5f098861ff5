# SPDX-License-Identifier: Apache-2.0
"""A compilation or a package as its plan's pictures show it: with what crosses for each map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.pipeline import Compiled
from edgefm.html.plan_parts import Crossing, Drawn
from edgefm.package.moves import map_moves
from edgefm.package.read import read_info
from edgefm.package.traffic import MapTraffic, stored_maps, traffic
from edgefm.planner.storage import COARSE_SHARE, LOSSLESS_SHARE
from edgefm.runtime.runtime import Runtime

MEASURED_FILES = 4  # of a calibration folder


def drawn_plan(package: bytes, plan: Mapping[str, Any], name: str = "package",
               measured: Sequence[MapTraffic] = (), files: int = 0) -> Drawn:
    """The plan of a package; `plan` are its figures, with those that only a compilation has.

    Bytes of coded maps are those `measured` in runs of this many files, or else what codecs usually
    leave. Raises BadContainer for a damaged package.
    """
    info = read_info(package, name)
    share = COARSE_SHARE if info.rate else LOSSLESS_SHARE
    found = {one.name: (one.write_bytes + one.read_bytes) / one.transfers
             for one in measured if one.transfers}
    crossings = tuple(
        Crossing(moves.written, moves.read, one["bytes"] if one["codec"] == "raw" else
                 found.get(one["name"], share * one["bytes"]))
        for one, moves in zip(plan["maps"], map_moves(package, name), strict=True))
    source = f"measured on {files} calibration file{'s' * (files != 1)}" if found else (
        f"expected, {100 * share:.0f} % of raw; --calib measures it")
    return Drawn(info.name, plan, crossings, source)


def measured_maps(compiled: Compiled, folder: Path | None) -> tuple[tuple[MapTraffic, ...], int]:
    """The traffic of each map in runs of a few calibration files, and how many; nothing where no
    map is coded or there are no files."""
    coded = any(one.codec != "raw" for one in compiled.plan.maps)
    if folder is None or not coded or len(compiled.graph.inputs) != 1:
        return (), 0
    inputs = calibration_inputs(compiled.graph, compiled.preprocess, folder, MEASURED_FILES)
    with Runtime(compiled.package, compiled.graph.name) as runtime:
        counted = [runtime.run([one]).maps for one in inputs]
    return traffic(stored_maps(read_info(compiled.package)), counted), len(counted)
