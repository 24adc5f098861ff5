# SPDX-License-Identifier: Apache-2.0
"""The table of counts: rows of numbers by name, in counts.json, and what has become of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from tests.counts.networks import KIB, Counted
from tests.counts.processors import PROCESSORS, Count, Processor, code_bytes, version

FILE = Path(__file__).with_name("counts.json")
MORE = 0.01  # of what a number was: more than that fails
FIRMWARE = "firmware"

Row = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Table:
    """`compilers`: the version of each that the numbers are of; `rows` by `row_name`."""

    compilers: Mapping[str, str]
    rows: Mapping[str, Row]


def read() -> Table:
    """What the file says."""
    return Table(**json.loads(FILE.read_text(encoding="utf-8")))


def write(table: Table) -> None:
    """Replace the file; a row is a line."""
    said = {"compilers": table.compilers, "rows": dict(sorted(table.rows.items()))}
    lines = (f'  "{part}": {{\n' + ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items()) + "\n  }"
        for part, entries in said.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def row_name(processor: Processor, network: Counted, arena: int) -> str:
    """What a row is called."""
    return f"{processor.name}: {network.name} in {arena // KIB} KiB"


def firmware_name(processor: Processor) -> str:
    """The row of a board's code."""
    return f"{processor.name}: {FIRMWARE}"


class Packages:
    """Networks compiled once for all processors that want the same."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._made: dict[tuple[object, ...], Compiled] = {}

    def get(self, network: Counted, arena: int, processor: Processor) -> Compiled:
        """The network for a processor and an arena of `arena` bytes."""
        key = network.name, arena, processor.target, processor.packing
        if key not in self._made:
            if network.name not in self._models:
                self._models[network.name] = network.load()
            options = CompileOptions(fast=arena, target=processor.target,
                                     packing=processor.packing)
            self._made[key] = compile_loaded(self._models[network.name], options)
        return self._made[key]


def measure(processor: Processor, count: Count, networks: Iterator[Counted] | list[Counted],
            packages: Packages) -> Iterator[tuple[str, Row]]:
    """A row for each network and arena, and one for the firmware."""
    for network in networks:
        for arena in network.arenas:
            made = packages.get(network, arena, processor)
            plan = made.plan
            yield row_name(processor, network, arena), {
                "instructions": count(made),
                "external_bytes": plan.external_read_bytes + plan.external_write_bytes,
                "weight_bytes": plan.weight_read_bytes, "fast_bytes": plan.fast_bytes,
                "package_bytes": len(made.package)}
    code = code_bytes(processor)
    if code is not None:
        yield firmware_name(processor), {"code_bytes": code}


def worse(name: str, got: Row, expected: Row) -> list[str]:
    """A line for each number that is more than it may be."""
    return [f"{name}: {key}: got {got[key]:,}, expected at most {value:,} and 1 %"
            for key, value in expected.items() if got[key] > value * (1 + MORE)]


def better(name: str, got: Row, expected: Row) -> list[str]:
    """A line for each number that became smaller, to be written down."""
    return [f"{name}: {key}: got {got[key]:,}, written down {value:,}"
            for key, value in expected.items() if got[key] < value * (1 - MORE)]


def other_compiler(table: Table, processor: Processor) -> str | None:
    """Why numbers of a processor cannot be compared here: another major version compiles."""
    here, then = version(processor.compiler), table.compilers[processor.compiler]
    if here.split(".")[0] == then.split(".")[0]:
        return None
    return (f"{processor.compiler} {here} compiles otherwise than {then}, of which the counts are; "
            "python -m tests.counts.make writes new ones")


def versions() -> dict[str, str]:
    """The compilers of this machine."""
    return {name: version(name) for name in sorted(
        {one.compiler for one in PROCESSORS.values() if one.lacks() is None})}


