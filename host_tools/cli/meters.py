# SPDX-License-Identifier: Apache-2.0
"""List the connected power meters and test each one briefly."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edgefm.console.terminal import say
from edgefm.errors import BadInput, EdgefmError
from host_tools.cli.arguments import add_json, positive
from host_tools.cli.output import print_json, print_table
from host_tools.power.meters import KINDS, Tested, check_meter, find_meters, open_meter, parse

EXAMPLE = "edgefm meters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `meters`."""
    parser.add_argument("meters", nargs="*", metavar="KIND[:WHERE][,key=value…]",
                        help="meters to test (default: all that are found; see docs/POWER.md)")
    parser.add_argument("--seconds", type=positive, default=0.5, metavar="S",
                        help="seconds to measure with each meter (default: 0.5)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Find, test, print. The verb fails when a meter that was named fails its test."""
    named = arguments.meters or [f"{found.kind}:{found.where}" for found in find_meters()]
    tested = [(text, _test(text, arguments.seconds)) for text in named]
    if arguments.json:
        print_json({"meters": [{"meter": text, **asdict(one)} for text, one in tested]})
    elif not tested:
        say(f"no power meter is plugged in (looked for {', '.join(KINDS)})")
    else:
        print_table(("meter", "rails", "samples/s", "lost", "mean W", "test"), [
            (text, " ".join(one.rails), round(one.samples / one.seconds) if one.seconds else 0,
             one.lost, "-" if one.watts is None else f"{one.watts:.6g}", one.problem or "good")
            for text, one in tested])
    bad = [f"{text}: {one.problem}" for text, one in tested if one.problem]
    if arguments.meters and bad:
        raise BadInput(f"meters: {bad[0]}")


def _test(text: str, seconds: float) -> Tested:
    parse(text)
    try:
        meter = open_meter(text)
        if meter is None:
            return Tested(text, (), 0, 0, 0.0, None, "no meter")
        try:
            return check_meter(meter, seconds)
        finally:
            meter.close()
    except EdgefmError as error:
        return Tested(text, (), 0, 0, 0.0, None, str(error))
