# SPDX-License-Identifier: Apache-2.0
"""`run --video`: run the frames of a clip in order and print the bytes that each one moves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.images import answers
from edgefm.images.clips import frames
from edgefm.images.labels import names_for
from edgefm.network.graph import Array
from edgefm.package.read import PackageInfo
from edgefm.package.traffic import stored_maps, traffic
from edgefm.runtime.runtime import Runtime
from host_tools.cli.output import COUNTERS, print_json, print_table

_COUNTED = (*COUNTERS, "coded_bytes", "coded_values", "raw_rows", "reference_bytes")


def run_clip(arguments: argparse.Namespace, runtime: Runtime) -> None:
    """Run the frames of a clip in order; print each answer, its bytes, and their mean."""
    info = runtime.info
    if len(info.inputs) != 1:
        raise BadInput(f"{arguments.net}: --video needs a network with one input, this one has "
                       f"{len(info.inputs)}")
    found: list[dict[str, Any]] = []
    crossed = []
    clip = frames(arguments.video, info.preprocess, info.inputs[0])
    for number, (name, data) in enumerate(clip):
        result = runtime.run([data], frame=number)
        counted = {key: getattr(result.counters, key) for key in _COUNTED}
        crossed.append(result.maps)
        answer = _brief(info, result.outputs, arguments.threshold)
        found.append({"frame": number, "name": name, "answer": answer, **counted})
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    "frames": found,
                    "maps": [one.to_json() for one in traffic(stored_maps(info), crossed)]})
        return
    print_table(("frame", "answer", "external read", "written", "coded bytes", "bits/value"),
                [(f["name"], f["answer"], f["external_read_bytes"], f["external_write_bytes"],
                  f["coded_bytes"], _bits(f)) for f in found])
    later = [f["coded_bytes"] for f in found[1:] if f["coded_bytes"]]
    if later:
        say(f"coded maps: {found[0]['coded_bytes']:,} bytes in the first frame, "
            f"{round(sum(later) / len(later)):,} in each of the others on average")
    if any(f["reference_bytes"] for f in found):
        kept = sum(m["rows"] * m["row_bytes"] for m in info.plan["maps"] if "reference" in m)
        say(f"the frame before takes {kept:,} bytes of fast memory, and "
            f"{found[-1]['reference_bytes']:,} bytes of it are read and written per frame")


def _bits(counted: dict[str, Any]) -> str:
    values = counted["coded_values"]
    return f"{8 * counted['coded_bytes'] / values:.2f}" if values else "-"


def _brief(info: PackageInfo, outputs: Sequence[Array], threshold: float) -> str:
    """A short form of a frame's answer."""
    kind = answers.kind([output.shape for output in outputs], tuple(info.inputs[0].shape))
    if kind == "scores":
        tensor = info.outputs[0]
        scores = answers.dequantized(outputs[0], tensor.scale, tensor.zero_point)
        names = names_for(info.labels, scores.size) if info.labels else ()
        best = answers.top_scores(scores, names, 1)[0]
        return f"{best.name} {best.score:.3f}"
    if kind == "boxes":
        return f"{int((outputs[2][0][:int(outputs[3].ravel()[0])] >= threshold).sum())} boxes"
    if kind == "mask":
        classes = outputs[0] if outputs[0].ndim == 3 else outputs[0].argmax(axis=3)
        return f"{np.unique(classes).size} classes"
    return "-"
