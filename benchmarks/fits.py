# SPDX-License-Identifier: Apache-2.0
"""What fits into which device: plans of five public networks for four sizes of fast memory.

Prints the table of README.md. With --write it also keeps the figures in fits.json beside this file;
`./inv document` makes the table from there, so that no model is needed.
"""

from __future__ import annotations

import json
from pathlib import Path

import _fits
from _common import data_folder, parser, print_command, say

from edgefm import zoo
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import Infeasible
from edgefm.files.write import write_file


def figures(file: Path, fast: int) -> dict[str, int]:
    """What the plan for a size of fast memory takes and moves; or the least that it needs."""
    try:
        plan = compile_model(file, CompileOptions(fast=fast, pictures=False)).plan
    except Infeasible as error:
        return {"least_bytes": error.smallest}
    return {"fast_bytes": plan.fast_bytes, "external_bytes": plan.external_bytes,
            "map_bytes": plan.external_read_bytes + plan.external_write_bytes,
            "weight_read_bytes": plan.weight_read_bytes}


def main() -> None:
    """Plan, print, keep."""
    made = parser(__doc__)
    made.add_argument("--write", action="store_true", help="keep the figures in fits.json")
    options = made.parse_args()
    models = data_folder(options.data) / "models"
    found: dict[str, dict[str, dict[str, int]]] = {}
    for network in _fits.NETWORKS:
        file = models / zoo.find(network).model.file
        for kib in _fits.SIZES:
            say(f"{network} in {kib} KiB")
            found.setdefault(network, {})[str(kib)] = figures(file, kib << 10)
    if options.write:
        write_file(_fits.FILE, json.dumps(found, indent=1) + "\n")
    print_command()
    print("\n".join(_fits.lines(found)))


if __name__ == "__main__":
    main()
