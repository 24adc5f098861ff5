# SPDX-License-Identifier: Apache-2.0
"""Emulated boards run every network: the host's bytes, the plan's counters, instructions, sizes.

Each package is run on every board; its outputs (SHA-256) must be the host's and what it counts must
be what the host counts and, uncoded, what the plan says, to the byte. Where a plan leaves external
memory alone, that memory is filled before and must be untouched after. Instructions are counted by
the board in virtual time; they are not cycles. Aarch64 and the PC process have no such count.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import _peers
from _common import (
    MOBILENET_V2,
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)
from _emulated import own_boards, plugin_words, qmp, qmp_words, run_on, start
from _firmware import FirmwareSize, firmware_size, stack_used

from edgefm.compiler.load import Model, load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import Infeasible
from edgefm.package.read import read_needs
from host_tools.boards import build, registry, running, tree
from host_tools.boards.running import Running
from host_tools.boards.switches import switches

KIB = 1024
TABLES = ("counts", "size", "peers", "reads", "runs")
STORE = (0x21800000, 0x22000000)  # of TARGET: where packages lie (firmware/boards/mps2)
BOARDS = ("qemu-an386", "qemu-an547", "sim", "raspberry-pi")
PORTABLE = {f"EFM_KERNEL_{isa}": 0 for isa in ("DSP", "MVE", "NEON", "X86", "ELEMENTS")}
PEERS = {"person_detect": "person_detect", "vww_96_int8": "vww_96",  # as peers.json calls them
         "pretrainedResnet_quant": "resnet8", "kws_ref_model": "kws", MOBILENET_V2: "mobilenet_v2"}
READER = "qemu-an386"  # whose reads are counted
TARGET = "cortex-m4"  # of the board that peers were counted on


@dataclass(frozen=True, slots=True)
class Case:
    """A network under a budget (bytes) with a codec."""

    network: Network
    budget: int
    codec: str


def main() -> None:
    """Print the tables that were asked for."""
    arguments = parser(__doc__)
    arguments.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    arguments.add_argument("--boards", nargs="+", default=list(BOARDS), metavar="NAME")
    arguments.add_argument("--budgets", type=int, nargs="+", default=[160, 96, 64], metavar="KIB")
    arguments.add_argument("--codecs", nargs="+", default=["raw", "zvc"], metavar="NAME")
    arguments.add_argument("--models", nargs="+", default=[], metavar="NAME",
                           help="parts of names (default: all)")
    arguments.add_argument("--portable", action="store_true",
                           help="firmware without the kernels of instruction sets")
    options = arguments.parse_args()
    data = data_folder(options.data)
    chosen = networks(data, options.models)
    print_command()
    defines = PORTABLE if options.portable else {}
    wanted = options.boards if "runs" in options.tables else ["qemu-an386"]
    with started(wanted, defines) as boards:
        if "counts" in options.tables:
            print("\n".join(_peers.lines()), end="\n\n")
        if "size" in options.tables:
            print_sizes(chosen, data)
        if "peers" in options.tables:
            print_peers([n for n in chosen if n.name in PEERS], data, boards["qemu-an386"])
        if "reads" in options.tables:
            print_reads([n for n in chosen if n.name in PEERS], data)
        if "runs" in options.tables:
            cases = [Case(network, budget * KIB, codec) for network in chosen
                     for budget in options.budgets for codec in options.codecs]
            print_runs(cases, data, boards, defines)


@contextlib.contextmanager
def started(names: list[str], defines: Mapping[str, int]) -> Iterator[dict[str, Running]]:
    """Boards that nobody else has, ended in the end."""
    with own_boards():
        yield {name: start(name, defines, qmp_words(name)) for name in names}


# -- runs ------------------------------------------------------------------------------------------


def compiled_within(model: Model, options: CompileOptions) -> Compiled:
    """The network under its budget, or under the smallest one that is feasible."""
    try:
        return compile_loaded(model, options)
    except Infeasible as error:
        return compile_loaded(model, replace(options, fast=error.smallest))


def print_runs(cases: list[Case], data: Path, boards: dict[str, Running],
               defines: Mapping[str, int]) -> None:
    """A row per package; packages that came before are left out."""
    wrong = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal wrong
        seen: set[bytes] = set()
        model: tuple[str, Model] | None = None
        for case in cases:
            options = options_for(case.network, data, fast=case.budget, objective="maps",
                                  codec=case.codec)
            if model is None or model[0] != case.network.name:
                model = case.network.name, load_model(case.network.file, options)
            say(f"{case.network.name} {case.budget // KIB} KiB {case.codec}")
            compiled = compiled_within(model[1], options)
            if compiled.package in seen:
                continue
            seen.add(compiled.package)
            outcomes = [run_on(board, compiled) for board in boards.values()]
            end = outcomes[0].end
            wrong += sum(isinstance(outcome.cell, str) and outcome.cell != "same"
                         for outcome in outcomes)
            yield (case.network.name, f"{case.budget // KIB} KiB", case.codec,
                   compiled.plan.fast_bytes, end.fast_high_water,
                   end.counted.external_read_bytes + end.counted.external_write_bytes,
                   end.counted.weight_read_bytes, *(outcome.cell for outcome in outcomes))

    print_table(("network", "budget", "codec", "fast planned", "fast used", "external bytes",
                 "weight bytes", *boards), rows())
    print(f"\nBytes or counts that differ from this machine's or from the plan's: {wrong}.\n")
    for name in boards:
        if name != "qemu-an547" and qmp(name).exists():  # behind a protection controller
            firmware = build.build(name, defines)
            used = stack_used(firmware, qmp(name), registry.folder() / "stack")
            print(f"Stack of {name} after all runs: {used:,} bytes.")


# -- beside others ---------------------------------------------------------------------------------


def print_peers(chosen: list[Network], data: Path, board: Running) -> None:
    """Instructions per inference beside TFLite Micro's, plain and packed for the board."""
    def count(network: Network, **more: str) -> object:
        options = options_for(network, data, fast=160 * KIB, objective="maps", **more)
        outcome = run_on(board, compile_loaded(load_model(network.file, options), options))
        return outcome.end.ticks if outcome.same_bytes else outcome.cell

    def rows() -> Iterator[tuple[object, ...]]:
        for network in chosen:
            say(network.name)
            others = _peers.peers("cortex-m4", PEERS[network.name])
            fast, slow = others["TFLM + CMSIS-NN"], others["TFLM reference"]
            halves, pairs = (count(network, target=TARGET, packing=packing)
                             for packing in ("halves", "pairs"))
            ratio = halves / fast if isinstance(halves, int) else "-"
            yield network.name, count(network), halves, pairs, fast, ratio, slow

    print_table(("network", "edgefm, 160 KiB", f"for {TARGET}", "--packing pairs",
                 "TFLM + CMSIS-NN", "ratio", "TFLM reference"), rows())
    print()


def print_reads(chosen: list[Network], data: Path) -> None:
    """Bytes that are read in the package, counted by a plugin, beside those that a plan charges."""
    def rows() -> Iterator[tuple[object, ...]]:
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "count"
            program = build.build(READER)
            board = start(READER, more=plugin_words(program, build.recipe(READER).compiler, result,
                                                    STORE))
            for network in chosen:
                for budget, packing in ((160, "halves"), (64, "halves"), (160, "rows")):
                    options = options_for(network, data, fast=budget * KIB, objective="maps",
                                          target=TARGET, packing=packing)
                    compiled = compiled_within(load_model(network.file, options), options)
                    outcome = run_on(board, compiled)
                    read = int(result.read_text(encoding="utf-8").split()[1])
                    yield (network.name, f"{budget} KiB", packing,
                           read if outcome.same_bytes else outcome.cell,
                           compiled.plan.weight_read_bytes, len(compiled.package))
            running.stop(board)

    print_table(("network", "budget", "packing", "bytes read in the package", "weights, as planned",
                 "package"), rows())
    print()


def print_sizes(chosen: list[Network], data: Path) -> None:
    """Flash, static RAM and stack of each firmware; of the default board also for one model."""
    def rows() -> Iterator[tuple[object, ...]]:
        for name in tree.boards():
            made = build.recipe(name)
            if made.compiler.startswith("arm-none-eabi"):
                yield _size_row(name, "everything", firmware_size(build.build(name)))
        for network in chosen:
            options = options_for(network, data, fast=160 * KIB, objective="maps")
            compiled = compile_loaded(load_model(network.file, options), options)
            only = build.build("qemu-an386", switches(read_needs(compiled.package)),
                               small=True)
            yield _size_row("qemu-an386", network.name, firmware_size(only))

    print_table(("board", "operators and codecs for", "flash", "static RAM", "of it stack",
                 "lent to the runtime"), rows())
    print()


def _size_row(board: str, what: str, size: FirmwareSize) -> tuple[object, ...]:
    return board, what, size.flash, size.ram, size.stack, size.lent


if __name__ == "__main__":
    main()
