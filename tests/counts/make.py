# SPDX-License-Identifier: Apache-2.0
"""Counts everything and writes counts.json: `python -m tests.counts.make` from the project's root.

Published networks are counted where EDGEFM_DATA has them. Rows that this machine cannot count stay
as they are and are named; arguments are parts of the names of rows that are wanted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from edgefm.console.terminal import complain, say
from tests.counts.networks import MADE_UP, PUBLISHED, there
from tests.counts.processors import PROCESSORS, Processor, counting
from tests.counts.table import FILE, Packages, Row, Table, measure, read, versions, write


def main(wanted: Sequence[str]) -> int:
    """Count, write, say what changed."""
    before = read() if FILE.exists() else Table({}, {})
    packages = Packages()
    found: dict[str, Row] = {}
    for processor in PROCESSORS.values():
        if not wanted or any(part in processor.name for part in wanted):
            found |= _counted(processor, packages)
    write(Table({**before.compilers, **versions()}, {**_known(before), **found}))
    for name, row in found.items():
        if name in before.rows and row != before.rows[name]:
            say(f"{name}: {dict(before.rows[name])} -> {dict(row)}")
    stay = sorted(set(_known(before)) - set(found))
    if stay:
        say(f"not counted, as they were: {', '.join(stay)}")
    return 0


def _counted(processor: Processor, packages: Packages) -> dict[str, Row]:
    lack = processor.lacks()
    if lack is not None:
        complain(f"{processor.name}: needs the program {lack}")
        return {}
    start = time.monotonic()
    with counting(processor) as count:
        rows = dict(measure(processor, count, list(there()), packages))
    complain(f"{processor.name}: {len(rows)} rows in {time.monotonic() - start:.0f} s")
    return rows


def _known(table: Table) -> dict[str, Row]:
    """The table's rows of networks and processors that there still are."""
    networks = {one.name for one in (*MADE_UP, *PUBLISHED)}
    kept = {}
    for name, row in table.rows.items():
        processor, _, what = name.partition(": ")
        if processor in PROCESSORS and (what.partition(" in ")[0] in {*networks, "firmware"}):
            kept[name] = row
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
