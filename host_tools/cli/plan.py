# SPDX-License-Identifier: Apache-2.0
"""Plan a model into a memory budget: every stage, ring and placement, exact bytes per memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.console.terminal import say
from edgefm.names import short
from edgefm.package.container import read_info
from host_tools.cli.arguments import add_compile_options, add_json, load_package
from host_tools.cli.inspect import quality_text, rate_fields
from host_tools.cli.output import print_fields, print_json, print_table, size_text

_TOTALS = {
    "fast memory": "fast_bytes", "external memory": "external_bytes", "caller's rows": "io_bytes",
    "external read": "external_read_bytes", "external written": "external_write_bytes",
    "input read": "input_read_bytes", "output written": "output_write_bytes",
    "weights read": "weight_read_bytes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `plan`."""
    parser.add_argument("net", type=Path, metavar="MODEL|net.efm")
    add_json(parser)
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Plan and print."""
    package = load_package(arguments, arguments.net, pictures=False)
    info = read_info(package.data, str(arguments.net))
    plan: Mapping[str, Any] = package.compiled.plan.to_json() if package.compiled else info.plan
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256, **plan,
                    **({"rate": info.rate} if info.rate else {})})
        return
    print_fields({"network": info.name, "objective": plan["objective"],
                  **{word: size_text(plan[name]) for word, name in _TOTALS.items()},
                  "multiply-adds": plan["macs"], **(rate_fields(info.rate) if info.rate else {})})
    _print_stages(plan["stages"])
    _print_buffers(plan["stages"])
    _print_maps([m for m in plan.get("maps", ()) if not m.get("pooled")])
    _print_pool(plan)


def _print_stages(stages: Sequence[Mapping[str, Any]]) -> None:
    say()
    say("Stages (bytes)")
    names = ("fast_bytes", "external_read_bytes", "external_write_bytes", "weight_read_bytes")
    print_table(("#", "first operator", "last operator", "ops", "strips", "firings", "fast",
                 "ext. read", "ext. written", "weights"),
                [(number, short(s["first"]), short(s["last"]), len(s["operators"]), s["strips"],
                  s["firings"], *(s[name] for name in names)) for number, s in enumerate(stages)])


def _print_buffers(stages: Sequence[Mapping[str, Any]]) -> None:
    """Rings and maps in fast memory, each once, in order of address within the order of stages."""
    buffers = {(b["first_stage"], b["offset"], b["name"]): b
               for stage in stages for b in stage["buffers"]}
    say()
    say("Buffers in fast memory")
    print_table(("name", "offset", "bytes", "rows", "stages"),
                [(short(b["name"]), b["offset"], b["bytes"], b["slots"],
                  f"{b['first_stage']}-{b['last_stage']}") for _, b in sorted(buffers.items())])


def _print_maps(maps: Sequence[Mapping[str, Any]]) -> None:
    if maps:
        say()
        say("Maps in external memory")
        print_table(("name", "address", "bytes", "at most", "rows", "codec", "quality"),
                    [(short(m["name"]), m["address"], m["bytes"], m.get("most_bytes", m["bytes"]),
                      m["rows"], m["codec"], quality_text(m)) for m in maps])


def _print_pool(plan: Mapping[str, Any]) -> None:
    """The page pool, and what each map in it takes at most, whatever the picture."""
    pool = plan.get("pool")
    if pool:
        say()
        say(f"Page pool at {pool['offset']}: {pool['pages']} pages of {pool['page_bytes']} "
            "bytes; its maps take at most")
        print_table(("name", "bytes", "per row", "borrowed", "rows", "raw", "codec", "quality"),
                    [(short(m["name"]), m["most_bytes"], m["rate"], m["depth"], m["rows"],
                      m["rows"] * m["row_bytes"], m["codec"], quality_text(m))
                     for m in plan["maps"] if m.get("pooled")])
