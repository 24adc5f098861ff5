# SPDX-License-Identifier: Apache-2.0
"""Plan a model for a memory budget: stages, placements, exact bytes per memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.compiler.frontier import compile_frontier
from edgefm.compiler.pipeline import Compiled
from edgefm.compiler.plan_fields import MOVED, compiled_fields, package_fields
from edgefm.console.names import distinct
from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.files.write import write_file
from edgefm.html.frontier import LOOKS, drawing
from edgefm.html.pictures import svg_file
from edgefm.package.outline import tensor_bytes
from edgefm.package.read import PackageInfo, read_info
from edgefm.planner import OBJECTIVES
from edgefm.planner.frontier import BudgetPlan
from edgefm.planner.model import TOTALS
from host_tools.cli.arguments import add_json, add_output
from host_tools.cli.compilation import (
    add_compile_options,
    compile_options,
    is_package,
    load_package,
)
from host_tools.cli.inspect import (
    coded_weights_fields,
    quality_text,
    rate_fields,
    removed_fields,
)
from host_tools.cli.output import print_fields, print_json, print_table
from host_tools.cli.plan_page import write_page
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm plan net.tflite --fast 96K"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `plan`."""
    parser.add_argument("net", type=Path, metavar="MODEL|net.efm",
                        help=".tflite, .onnx, .npz, or a package")
    add_json(parser)
    parser.add_argument("--frontier", action="store_true",
                        help="plan every size of fast memory that changes the result, with maps "
                             "stored raw: memory against bytes moved (default: one plan)")
    add_output(parser, "-o", "--output", metavar="FILE.svg",
               help="with --frontier: its chart (default: not saved)")
    add_output(parser, "--html", metavar="FILE.html",
               help="write a page with pictures of the plan; with --frontier also of what other "
                    "sizes of fast memory would give (default: none)")
    parser.add_argument("--against", type=Path, metavar="net.efm",
                        help="with --html: a package whose plan is shown beside (default: none)")
    add_compile_options(parser, "--images")


def run(arguments: argparse.Namespace) -> None:
    """Plan and print."""
    if arguments.output and (arguments.html or not arguments.frontier):
        raise BadInput("-o draws the frontier; expected --frontier beside it, and no --html")
    if arguments.against and not arguments.html:
        raise BadInput("--against compares on a page; expected --html FILE.html beside it")
    if arguments.frontier and is_package(arguments.net):
        raise BadInput(f"{arguments.net}: a package has one plan; --frontier takes the model that "
                       "it was compiled from")
    if arguments.frontier and not arguments.html:
        _frontier(arguments)
        return
    package = load_package(arguments, arguments.net, pictures=False)
    info = read_info(package.data, str(arguments.net))
    if arguments.html:
        write_page(arguments.html, package, arguments.net,
                   compile_options(arguments, arguments.net, pictures=False),
                   arguments.frontier, arguments.against)
    plan: Mapping[str, Any] = package.compiled.plan.to_json() if package.compiled else info.plan
    more = package_fields(plan) if package.compiled is None else compiled_fields(
        package.compiled, compile_options(arguments, arguments.net, pictures=False))
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256, **plan,
                    **more, **({"removed": list(info.removed)} if info.removed else {}),
                    **({"rate": info.rate} if info.rate else {})})
        return
    print_fields({"network": info.name, "objective": plan["objective"],
                  **{word: size_text(plan[name]) for word, name in TOTALS.items()},
                  **_repeated(info), **coded_weights_fields(plan), **_moved_texts(plan, more),
                  **_hint(package.compiled, arguments.cut, more), "multiply-adds": plan["macs"],
                  **_predicted_texts(more),
                  **removed_fields(info.removed),
                  **(rate_fields(info.rate) if info.rate else {})})
    _print_stages(plan["stages"], more.get("stage_instructions"))
    _print_buffers(plan["stages"])
    _print_maps([m for m in more.get("maps", plan.get("maps", ())) if not m.get("pooled")])
    _print_pool(plan)
    if arguments.html:
        say()
        say(f"pictures: {arguments.html}")


def _frontier(arguments: argparse.Namespace) -> None:
    """Plan every size of fast memory; print the table, draw the picture."""
    options = compile_options(arguments, arguments.net, pictures=False)
    with progress_bar(f"plan {arguments.net.name}", None, "plan") as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        name, points = compile_frontier(arguments.net, options, tick)
    told = [point.to_json() for point in points]
    if arguments.output:
        write_file(arguments.output, svg_file(drawing(name, told), LOOKS))
    if arguments.json:
        print_json({"network": name, "objective": options.objective, "points": told})
        return
    counted = points[0].instructions is not None
    print_table(("fast memory", "used", "external", "maps moved", "weights read", "both",
                 *(["instructions"] if counted else [])), [_point_row(point) for point in points])
    say()
    say(f"{name}: bytes per inference, {points[0].plan.macs:,} multiply-adds in every plan"
        + (f"; picture: {arguments.output}" if arguments.output else ""))


def _point_row(point: BudgetPlan) -> tuple[object, ...]:
    plan = point.plan
    here = " (you are here)" if point.here else ""
    return (size_text(point.budget) + here, plan.fast_bytes, plan.external_bytes, point.map_bytes,
            plan.weight_read_bytes, point.moved_bytes,
            *([] if point.instructions is None else [point.instructions]))


def _moved_texts(plan: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, str]:
    """Bytes of maps, coded and raw, and of weights, and the same for the other objective."""
    texts = {"maps moved": _both(plan)[0], "maps and weights": size_text(sum(
        plan[name] for name in MOVED))}
    if more.get("coded_values"):
        expected = size_text(more["expected_map_bytes"])
        texts["maps as coded"] = ("" if plan.get("pool") else f"about {expected} expected; ") + (
            f"{more['coded_values']:,} values to code and decode, which takes time")
    other = more.get("other_objective")
    if other:
        maps, weights = _both(other)
        texts[f"--objective {other['objective']}"] = (f"would move {maps} of maps, "
                                                      f"{weights} of weights")
    return texts


def _predicted_texts(more: Mapping[str, Any]) -> dict[str, str]:
    """Instructions on the target's processor; time and energy, which are modeled."""
    if "predicted_instructions" not in more:
        return {}
    texts = {"instructions": f"{more['predicted_instructions']:,} predicted for "
                             f"{more['processor']}"}
    for name, unit in (("modeled_milliseconds", "ms"), ("modeled_millijoules", "mJ")):
        if name in more:
            texts[{"ms": "time", "mJ": "energy"}[unit]] = f"{more[name]:g} {unit}, modeled"
    return texts


def _repeated(info: PackageInfo) -> dict[str, str]:
    """How often rows of the input are asked for, where columns are made twice."""
    pulled: int = info.plan["input_read_bytes"]
    times = pulled / max(sum(tensor_bytes(tensor) for tensor in info.inputs), 1)
    return {"column tiles": f"rows of the input are asked for {times:.0f} times"} if (
        times > 1) else {}


def _hint(compiled: Compiled | None, cut: str, more: Mapping[str, Any]) -> dict[str, str]:
    """The option for the other objective, if its plan may differ and was not made."""
    if compiled is None or cut != "auto" or "other_objective" in more or not compiled.plan.maps:
        return {}
    wanted = next(name for name in OBJECTIVES if name != compiled.plan.objective)
    return {f"--objective {wanted}": "may give another plan; not made here, as it takes time"}


def _both(plan: Mapping[str, Any]) -> tuple[str, str]:
    """Bytes of maps, written and read, and of weights, in a readable form."""
    moved: int = plan["external_read_bytes"] + plan["external_write_bytes"]
    return size_text(moved), size_text(plan["weight_read_bytes"])


def _print_stages(stages: Sequence[Mapping[str, Any]], counted: Sequence[int] | None) -> None:
    say()
    say("Stages (bytes)" if counted is None else "Stages (bytes, predicted instructions)")
    names = ("fast_bytes", "external_read_bytes", "external_write_bytes", "weight_read_bytes")
    told = distinct(s[end] for s in stages for end in ("first", "last"))
    print_table(("#", "first operator", "last operator", "ops", "strips", "firings", "fast",
                 "ext. read", "ext. written", "weights",
                 *([] if counted is None else ["instructions"])),
                [(number, told[s["first"]], told[s["last"]], len(s["operators"]), s["strips"],
                  s["firings"], *(s[name] for name in names),
                  *([] if counted is None else [counted[number]]))
                 for number, s in enumerate(stages)])


def _print_buffers(stages: Sequence[Mapping[str, Any]]) -> None:
    """Rings and maps in fast memory, each once, sorted by stage and then by address."""
    buffers = {(b["first_stage"], b["offset"], b["name"]): b
               for stage in stages for b in stage["buffers"]}
    told = distinct(b["name"] for b in buffers.values())
    say()
    say("Buffers in fast memory")
    print_table(("name", "offset", "bytes", "rows", "stages"),
                [(told[b["name"]], b["offset"], b["bytes"], b["slots"],
                  f"{b['first_stage']}-{b['last_stage']}") for _, b in sorted(buffers.items())])


def _print_maps(maps: Sequence[Mapping[str, Any]]) -> None:
    if maps:
        told = distinct(m["name"] for m in maps)
        say()
        say("Maps in external memory")
        print_table(("name", "address", "bytes", "at most", "rows", "codec", "quality"),
                    [(told[m["name"]], m["address"], m["bytes"], m.get("most_bytes", m["bytes"]),
                      m["rows"], _codec_text(m), quality_text(m)) for m in maps])


def _codec_text(told: Mapping[str, Any]) -> str:
    return f"{told['codec']} ({told['why_raw']})" if "why_raw" in told else str(told["codec"])


def _print_pool(plan: Mapping[str, Any]) -> None:
    """The page pool, and the most that each map in it takes, for any picture."""
    pool = plan.get("pool")
    if pool:
        told = distinct(m["name"] for m in plan["maps"])
        say()
        say(f"Page pool at {pool['offset']}: {pool['pages']} pages of {pool['page_bytes']} "
            "bytes; its maps take at most")
        print_table(("name", "bytes", "per row", "borrowed", "rows", "raw", "codec", "quality"),
                    [(told[m["name"]], m["most_bytes"], m["rate"], m["depth"], m["rows"],
                      m["rows"] * m["row_bytes"], m["codec"], quality_text(m))
                     for m in plan["maps"] if m.get("pooled")])
