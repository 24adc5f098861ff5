# SPDX-License-Identifier: Apache-2.0
"""Test the external memory of the device, and measure its bandwidth."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.errors import DeviceError, EdgefmError
from host_tools.cli.arguments import add_json, size
from host_tools.cli.output import print_json, print_table
from host_tools.cli.progress import progress_bar
from host_tools.cli.store import store_of
from host_tools.link.capability import Info
from host_tools.link.frames import Status
from host_tools.link.memory_test import READ, WRITE, Found, Pass, passes
from host_tools.link.store import Store

EXAMPLE = "edgefm memory test"


@dataclass(frozen=True, slots=True)
class Result:
    """A pass and what came of it; `found` is None where the port refused a transfer."""

    order: Pass
    found: Found | None

    @property
    def fault(self) -> str:
        """What is wrong, in words; nothing when all is well."""
        if self.found is None:
            return "the port refused a transfer"
        if self.found.wrong:
            one = self.found
            return (f"{one.wrong:,} bytes differ, the first at {one.first:#x}: wrote "
                    f"{one.expected:02x}, read {one.got:02x}; wrong bits {one.bits:#04x}")
        return f"{self.found.spilled:,} bytes beside a buffer overwritten" * (
            self.found.spilled > 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `memory`."""
    parser.add_argument("what", choices=["test"], help="test: write patterns and read them back; "
                        "what the memory holds is lost")
    parser.add_argument("--bytes", type=size, metavar="SIZE", dest="most",
                        help="of the memory, from its front (default: all)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Carry out all passes and print what was found. Raises EdgefmError for a fault."""
    store = store_of(arguments.board)
    results = list(_results(store, passes(store.info, arguments.most)))
    if arguments.json:
        print_json({"passes": [{**asdict(one.order), "fault": one.fault or None,
                                "found": one.found and asdict(one.found)} for one in results],
                    "unit": store.info.unit, "ticks_per_second": store.info.ticks_per_second})
    else:
        _print(results, store.info)
    wrong = [one for one in results if one.fault]
    if wrong:
        raise EdgefmError(f"external memory: {len(wrong)} of {len(results)} passes failed; "
                          f"\"{wrong[0].order.name}\": {wrong[0].fault}")


def _results(store: Store, orders: list[Pass]) -> Iterator[Result]:
    with progress_bar("memory", len(orders), "pass") as bar:
        for order in orders:
            try:
                yield Result(order, store.test_memory(order))
            except DeviceError as error:
                if error.status != Status.PORT_FAILED:
                    raise
                yield Result(order, None)
            bar.update(1)


def _print(results: list[Result], info: Info) -> None:
    shown: dict[str, str] = {}
    for one in results:
        shown[one.order.name] = shown.get(one.order.name) or one.fault
    print_table(("pass", "result"), [(name, fault or "ok") for name, fault in shown.items()])
    whole = [one for one in results if one.order.pattern and one.order.flags in (WRITE, READ)]
    for flag, verb in ((WRITE, "written"), (READ, "read")):
        moved = [one for one in whole if one.order.flags == flag and one.found]
        ticks = sum(one.found.write_ticks + one.found.read_ticks for one in moved if one.found)
        if moved and ticks:
            say(f"{verb}: {_bandwidth(sum(one.order.bytes for one in moved), ticks, info)}, in "
                f"transfers of {moved[0].order.piece:,} bytes")


def _bandwidth(count: int, ticks: int, info: Info) -> str:
    """Bytes per second, or ticks per byte where ticks do not measure time."""
    if info.ticks_per_second:
        return f"{size_text(round(count * info.ticks_per_second / ticks))} per second"
    return f"{ticks / count:.3g} {info.unit} per byte"
