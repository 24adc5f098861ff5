# SPDX-License-Identifier: Apache-2.0
"""Show what a package holds: inputs, outputs, preprocessing, sections, memory."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgefm.console.names import distinct
from edgefm.console.notation import size_text, tensor_text
from edgefm.console.terminal import say
from edgefm.files.read import read_bytes
from edgefm.package.container import read_header
from edgefm.package.read import PackageInfo, read_info
from edgefm.package.records import feature_names
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_fields, print_json, print_table

EXAMPLE = "edgefm inspect net.efm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `inspect`."""
    parser.add_argument("net", type=Path, metavar="net.efm", help="a package")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the package's description and print it."""
    data = read_bytes(arguments.net)
    info, header = read_info(data, str(arguments.net)), read_header(data, str(arguments.net))
    if arguments.json:
        print_json({
            "name": info.name, "bytes": len(data), "format": f"{header.major}.{header.minor}",
            "version": info.version, "features": feature_names(info.features),
            "model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
            "inputs": [_tensor(t) for t in info.inputs],
            "outputs": [_tensor(t) for t in info.outputs],
            "preprocess": info.preprocess.to_json() if info.preprocess else None,
            "labels": list(info.labels), "plan": info.plan, "rate": info.rate,
            "removed": list(info.removed),
            "sections": [{"name": s.name, "bytes": s.bytes} for s in info.sections]})
        return
    say(f"{arguments.net}: {info.name}, {size_text(len(data))}, format {header.major}."
        f"{header.minor}")
    print_summary(info)
    say()
    print_table(("section", "bytes"), [(s.name, s.bytes) for s in info.sections])


def print_summary(info: PackageInfo) -> None:
    """Print the most important facts."""
    fields: dict[str, object] = {}
    for word, tensors in (("input", info.inputs), ("output", info.outputs)):
        for number, tensor in enumerate(tensors):
            text = tensor_text(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point)
            fields[f"{word} {number}"] = f"{tensor.name}: {text}"
    fields["needs"] = ", ".join(feature_names(info.features)) or "no feature"
    if info.version:
        fields["version"] = info.version
    fields["preprocess"] = info.preprocess or "none: takes .npy files, not pictures"
    fields["class names"] = len(info.labels) or "none"
    fields["fast memory"] = size_text(info.plan["fast_bytes"])
    fields["external memory"] = size_text(info.plan["external_bytes"])
    if info.plan.get("pool"):
        pool = info.plan["pool"]
        fields["of it, page pool"] = size_text(pool["pages"] * pool["page_bytes"])
    fields["caller's rows"] = size_text(info.plan["io_bytes"])
    kinds = sorted({quality_text(m) for m in info.plan["maps"]} - {"even"})
    if kinds:
        fields["quality of stored maps"] = ", ".join(kinds)
    fields.update(coded_weights_fields(info.plan))
    fields.update(removed_fields(info.removed))
    if info.rate:
        fields.update(rate_fields(info.rate))
    fields["model sha256"] = info.model_sha256
    fields["plan sha256"] = info.plan_sha256
    print_fields(fields)


def quality_text(stored: Mapping[str, Any]) -> str:
    """The quality map of one of the plan's maps, in a few words."""
    if not stored.get("quality"):
        return "even"
    tile = stored.get("tile")
    return f"{stored['quality']}, {f'tiles of {tile} pixels' if tile else 'whole rows'}"


def removed_fields(removed: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """How many unneeded channels were removed from a network."""
    if not removed:
        return {}
    gone, of = (sum(one[key] for one in removed) for key in ("channels", "of"))
    return {"channels removed": f"{gone} of {of} in {len(removed)} maps, constant for every input "
                                "or never read: outputs are exact"}


def rate_fields(rate: Mapping[str, Any]) -> dict[str, object]:
    """What coarser steps cost and save, as rows of a summary."""
    low, high = rate["points"]
    told = distinct(s["name"] for s in rate["steps"])
    maps = [f"{told[s['name']]} x{s['factor']:.2f}" for s in rate["steps"]]
    bits = rate.get("weight_bits")
    return {
        **({"coarser maps": ", ".join(maps)} if maps or bits is None else {}),
        **({} if bits is None else {"coarser weights": f"{bits:.2f} bits per weight when coded"}),
        "KL from uncompressed, nats": f"{rate['kl']:.5f} (standard error {rate['kl_error']:.5f}, "
                                      f"{rate['images']} held-out files)",
        **(checked_fields(rate["check"]) if rate.get("check") else {
            "top-1 points lost": f"{low:.2f} to {high:.2f}{_slopes(rate)}, estimated, not "
                                 "measured"}),
        "map bytes per inference": size_text(rate["map_bytes"]) + " on average" + (
            f", {size_text(rate['most_map_bytes'])} at most" if rate.get("most_map_bytes") else "")}


def _slopes(rate: Mapping[str, Any]) -> str:
    """The points per nat behind an estimate."""
    slopes = [points / rate["kl"] for points in rate["points"]] if rate["kl"] > 0 else []
    return " ({:.0f} to {:.0f} points per nat)".format(*slopes) if slopes else ""


def checked_fields(check: Mapping[str, Any]) -> dict[str, object]:
    """The loss from coarser steps, measured on labeled files."""
    seen = f", {check['views']} views of each" if check["views"] > 1 else ""
    error = check["points_error"]
    return {
        f"{check['figure']} points lost": f"{check['points']:.2f}" + (
            "" if error is None else f" (standard error {error:.2f})")
        + f", checked on {check['files']} labeled files{seen}",
        "KL on these files, nats": f"{check['kl']:.5f}"}


def _tensor(tensor: object) -> dict[str, object]:
    names = ("name", "shape", "dtype", "scale", "zero_point")
    return {name: getattr(tensor, name) for name in names}


def coded_weights_fields(plan: Mapping[str, Any]) -> dict[str, str]:
    """Of a plan whose weights are brought into fast memory: how many operators do that, how often,
    and how many bytes cross the weight port if there is one."""
    coded, crossing = plan.get("coded_weights"), plan.get("weight_port_bytes")
    if not coded:
        return {}
    how = (f"{coded['operators']} operators {'decode' if crossing is None else 'read'} "
           f"{coded['tiles']} tiles, {coded['kept']} of them once per run, the others at each "
           "firing")
    return {"coded weights": how} if crossing is None else {
        "weights behind port": f"{size_text(crossing)}; {how}"}
