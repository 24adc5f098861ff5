# SPDX-License-Identifier: Apache-2.0
"""The page with pictures of a plan, which `plan --html` and `compile --report` write."""

from __future__ import annotations

from pathlib import Path

from edgefm.compiler.drawn_plan import drawn_plan, measured_maps
from edgefm.compiler.frontier import frontier_around
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled
from edgefm.compiler.plan_fields import compiled_fields, package_fields
from edgefm.files.read import read_bytes
from edgefm.files.write import write_file
from edgefm.html.plan_page import plan_page
from edgefm.html.plan_parts import Drawn
from edgefm.html.what_if import Point
from edgefm.package.read import read_info
from host_tools.cli.compilation import Package
from host_tools.cli.progress import progress_bar


def write_page(path: Path, package: Package, source: Path, options: CompileOptions,
               frontier: bool = False, against: Path | None = None) -> None:
    """Draw a package, which was compiled from `source` or is that file; with `frontier` also what
    other sizes of fast memory would give; beside the package `against`."""
    other = package_drawn(against) if against else None
    compiled = package.compiled
    if compiled is None:
        write_file(path, plan_page(package_drawn(source), other=other))
        return
    fields = {**compiled.plan.to_json(), **compiled_fields(compiled, options)}
    drawn = drawn_plan(package.data, fields, compiled.graph.name,
                       *measured_maps(compiled, options.calib))
    points = _frontier(compiled, options) if frontier else []
    write_file(path, plan_page(drawn, points, other))


def package_drawn(path: Path) -> Drawn:
    """The plan of a package file."""
    data = read_bytes(path)
    plan = read_info(data, str(path)).plan
    return drawn_plan(data, {**plan, **package_fields(plan)}, str(path))


def _frontier(compiled: Compiled, options: CompileOptions) -> list[Point]:
    with progress_bar(f"frontier of {compiled.graph.name}", None, "plan") as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return [point.to_json() for point in frontier_around(compiled, options, tick)]
