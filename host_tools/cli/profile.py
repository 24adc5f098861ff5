# SPDX-License-Identifier: Apache-2.0
"""Run a package on the device; show the time and bytes of each stage."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from edgefm.console.names import stage_labels
from edgefm.console.terminal import say
from edgefm.package.read import PackageInfo
from edgefm.package.traffic import stored_maps, traffic
from host_tools.cli.arguments import add_json
from host_tools.cli.device import device_of
from host_tools.cli.output import print_fields, print_json, print_maps, print_table
from host_tools.cli.run import device_stream
from host_tools.cli.store import refuse_local
from host_tools.link.capability import Info
from host_tools.link.runs import Profile

BYTES = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
         "output_write_bytes", "coded_bytes", "coded_values")

EXAMPLE = "edgefm profile :net.efm cat.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `profile`."""
    parser.add_argument("net", metavar=":net.efm", help="a package on the device")
    parser.add_argument("inputs", nargs="*", metavar="INPUT",
                        help="a picture or an .npy file for each input, or one `:file` on the "
                             "device with all of them (default: noise)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run once with an event per stage and print."""
    name = refuse_local(arguments.net, "profile")
    device = device_of(arguments.board)
    outline, stream, stored = device_stream(arguments, device, name)
    fields = profile_fields(device.info, outline.info,
                            device.profile(name, stream, stored=stored))
    if arguments.json:
        print_json(fields)
    else:
        _print(fields, device.info.unit)


def profile_fields(board: Info, info: PackageInfo, profile: Profile) -> dict[str, Any]:
    """The JSON of a profile: `board` describes the device, `info` the package."""
    plan = info.plan
    names = [stage["name"] for stage in plan["stages"]]
    stages = [{"name": names[first.stage] if first.stage < len(names) else str(first.stage),
               "ticks": second.ticks - first.ticks,
               **asdict(second.counted.since(first.counted))}
              for first, second in pairwise(profile.stages)]
    maps = None if profile.maps is None and plan["maps"] else [
        one.to_json() for one in traffic(stored_maps(info), [profile.maps or ()])]
    return {"board": board.board, "unit": board.unit, "ticks_per_second": board.ticks_per_second,
            "total": profile.end.ticks, "fast_bytes": plan["fast_bytes"],
            "fast_bytes_high_water": profile.end.fast_high_water, **asdict(profile.end.counted),
            "coded_rows": profile.end.coded_rows, "raw_rows": profile.end.raw_rows,
            "outputs_sha256": profile.end.outputs_sha256.hex(), "stages": stages, "maps": maps}


def _print(fields: dict[str, Any], unit: str) -> None:
    names = stage_labels([stage["name"] for stage in fields["stages"]])
    print_table(("stage", unit, "%", "external read", "external written", "coded",
                 "weights read"),
                [(name, stage["ticks"],
                  100 * stage["ticks"] / max(fields["total"], 1), stage["external_read_bytes"],
                  stage["external_write_bytes"], stage["coded_bytes"], stage["weight_read_bytes"])
                 for name, stage in zip(names, fields["stages"], strict=True)])
    if fields["maps"]:
        say()
        print_maps(fields["maps"])
        say()
    print_fields({"board": fields["board"], f"total {unit}": fields["total"],
                  "fast memory": f"{fields['fast_bytes_high_water']:,} of "
                                 f"{fields['fast_bytes']:,} bytes touched",
                  "external read": fields["external_read_bytes"],
                  "external written": fields["external_write_bytes"],
                  "of both, coded": f"{fields['coded_bytes']:,} for {fields['coded_values']:,} "
                                    "values",
                  "weights read": fields["weight_read_bytes"],
                  "SHA-256 of outputs": fields["outputs_sha256"],
                  **({} if fields["maps"] is not None else {
                      "map by map": "not counted: the firmware is older than this edgefm, or has "
                                    "no room left for results"})})
