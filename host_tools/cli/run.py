# SPDX-License-Identifier: Apache-2.0
"""Run a package, here or on a device: top-5 classes, boxes, or a segmentation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgefm.console.notation import tensor_text
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.files.read import read_bytes
from edgefm.images import answers
from edgefm.images.clipping import warn_of_clipped
from edgefm.images.labels import names_for
from edgefm.images.picture import load_picture
from edgefm.images.preprocess import load_image, placement_of
from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from edgefm.package.outline import Outline
from edgefm.package.read import PackageInfo, TensorInfo, read_info
from edgefm.package.traffic import stored_maps, traffic
from edgefm.runtime.runtime import Runtime
from host_tools.cli.arguments import add_json, add_output, count, times
from host_tools.cli.board import on_device
from host_tools.cli.clip import run_clip
from host_tools.cli.device import device_of
from host_tools.cli.output import COUNTERS, print_json, print_table
from host_tools.cli.saving import check_picture, save_array, save_picture
from host_tools.link.device import Device

_CAPS = ("capped_rows", "largest_shift")

EXAMPLE = "edgefm run net.efm cat.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `run`."""
    parser.add_argument("net", type=Path, metavar="net.efm",
                        help="a package here, or `:net.efm` on a device")
    parser.add_argument("inputs", type=Path, nargs="*", metavar="INPUT",
                        help="a picture or an .npy file for each input of the network; or one "
                             "`:file` on the device with all of them")
    add_output(parser, "--out", metavar="FILE",
               help="save the first output (.npy) or all of them (.npz) (default: not saved)")
    add_output(parser, "--draw", check=check_picture, metavar="PNG",
               help="save the picture with its boxes or its segmentation (default: not saved)")
    parser.add_argument("--threshold", type=float, default=0.5, metavar="SCORE",
                        help="lowest score of a box, 0 to 1 (default: 0.5)")
    parser.add_argument("--repeat", type=times, default=1, metavar="N",
                        help="run N times on the device (default: 1; 0: until Ctrl-C)")
    parser.add_argument("--threads", type=count, default=1, metavar="N",
                        help="threads that share the work here, where several cores are idle: the "
                             "same outputs (default: 1)")
    parser.add_argument("--video", type=Path, metavar="CLIP",
                        help="instead of INPUT: run the frames of a folder or an .npy file in "
                             "order, each coded against the previous one, and show the bytes of "
                             "each (default: run INPUT once)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Load the inputs, run once, show the outputs."""
    name = on_device(arguments.net)
    if bool(arguments.inputs) == bool(arguments.video):
        raise BadInput(f"{arguments.net}: expected INPUT, or --video and no INPUT")
    if arguments.video and (name or arguments.out or arguments.draw):
        raise BadInput(f"{arguments.net}: --video runs here, and takes neither --out nor --draw")
    if name is not None:
        _run_on_device(arguments, name)
        return
    package = read_bytes(arguments.net)
    info = read_info(package, str(arguments.net))
    with Runtime(package, str(arguments.net), arguments.threads) as runtime:
        if arguments.video:
            run_clip(arguments, runtime)
            return
        result = runtime.run(_inputs(arguments, info, runtime.inputs))
    if arguments.out:
        save_array(arguments.out, {tensor.name: value for tensor, value
                                   in zip(info.outputs, result.outputs, strict=True)})
    fields = _show(arguments, info, result.outputs)
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256, **fields,
                    **{name: getattr(result.counters, name) for name in COUNTERS + _CAPS},
                    "maps": _maps(info, result.maps)})
    elif result.counters.capped_rows:
        say(f"caps made {result.counters.capped_rows} stored rows coarser, by "
            f"{result.counters.largest_shift} bits at most")


def _maps(info: PackageInfo, counted: Sequence[MapCounters]) -> list[dict[str, Any]]:
    return [one.to_json() for one in traffic(stored_maps(info), [counted])]


def _run_on_device(arguments: argparse.Namespace, name: str) -> None:
    device = device_of(arguments.board)
    outline, stream, stored = device_stream(arguments, device, name)
    result = device.run(name, stream, stored=stored, times=arguments.repeat or 1,
                        outputs=outline.info.outputs, by_map=arguments.json)
    with suppress(KeyboardInterrupt):
        while arguments.repeat == 0:
            result = device.run(name, stream, stored=stored, outputs=outline.info.outputs,
                                by_map=arguments.json)
    end, info = result.end, outline.info
    fields: dict[str, Any] = {}
    if result.outputs is None:
        size = end.counted.output_write_bytes
        if not arguments.json:
            say(f"the outputs take {size} bytes, {device.info.board} keeps "
                f"{device.info.results_bytes}; their SHA-256 is {end.outputs_sha256.hex()}")
    else:
        if arguments.out:
            save_array(arguments.out, {tensor.name: value for tensor, value
                                       in zip(info.outputs, result.outputs, strict=True)})
        fields = _show(arguments, info, result.outputs)
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256, **fields,
                    "board": device.info.board, "unit": device.info.unit, "total": end.ticks,
                    "fast_bytes_high_water": end.fast_high_water,
                    "outputs_sha256": end.outputs_sha256.hex(),
                    **{key: getattr(end.counted, key) for key in COUNTERS},
                    **_caps(result.maps),
                    "maps": None if result.maps is None else _maps(info, result.maps)})


def _caps(maps: Sequence[MapCounters] | None) -> dict[str, int | None]:
    """The effect of caps on a device, if the device reports traffic map by map."""
    if maps is None:
        return dict.fromkeys(_CAPS)
    return {"capped_rows": sum(m.capped_rows for m in maps),
            "largest_shift": max((m.largest_shift for m in maps), default=0)}


def device_stream(arguments: argparse.Namespace, device: Device, name: str
                  ) -> tuple[Outline, bytes | None, str]:
    """A stored package's Outline, and its inputs: bytes to send, or the name of a stored file."""
    if getattr(arguments, "threads", 1) > 1:
        raise BadInput(f"{arguments.net}: got --threads {arguments.threads}, expected none: they "
                       "are for packages that run here")
    outline = device.outline(name)
    if not arguments.inputs:
        return outline, outline.stream([_noise(tensor) for tensor in outline.info.inputs]), ""
    stored = on_device(arguments.inputs[0])
    if stored is not None and len(arguments.inputs) == 1:
        return outline, None, stored
    wanted = outline.info.inputs
    paths = argparse.Namespace(net=arguments.net, inputs=[Path(p) for p in arguments.inputs])
    return outline, outline.stream(_inputs(paths, outline.info, wanted)), ""


def _noise(tensor: TensorInfo) -> Array:
    """The same noise for every run: the whole range for integers, 0 to 1 for floats."""
    random = np.random.default_rng(1)
    kind = np.dtype(tensor.dtype)
    if kind.kind == "f":
        return np.asarray(random.random(tensor.shape), kind)
    bounds = np.iinfo(kind)
    return np.asarray(random.integers(bounds.min, bounds.max, tensor.shape, kind, endpoint=True))


def _inputs(arguments: argparse.Namespace, info: PackageInfo, wanted: Sequence[TensorInfo]
            ) -> list[Array]:
    if len(arguments.inputs) != len(wanted):
        names = ", ".join(tensor.name for tensor in wanted)
        raise BadInput(f"{arguments.net}: got {len(arguments.inputs)} input files, "
                       f"expected {len(wanted)} ({names})")
    inputs = []
    for path, tensor in zip(arguments.inputs, wanted, strict=True):
        inputs.append(load_image(path, info.preprocess, tensor))
        warn_of_clipped([path], tensor, path)
    return inputs


def _show(arguments: argparse.Namespace, info: PackageInfo, outputs: Sequence[Array]
          ) -> dict[str, Any]:
    """Print (unless --json) and draw; returns the JSON fields."""
    shapes = [output.shape for output in outputs]
    kind = answers.kind(shapes, tuple(info.inputs[0].shape))
    if kind in ("boxes", "mask") and (arguments.inputs[0].suffix.lower() == ".npy"
                                      or on_device(arguments.inputs[0]) is not None):
        kind = "tensors"
    show = {"boxes": _boxes, "mask": _mask, "scores": _scores, "tensors": _tensors}[kind]
    if arguments.draw and kind not in ("boxes", "mask"):
        raise BadInput(f"{arguments.net}: --draw is for boxes and segmentations of a picture")
    return {"kind": kind, **show(arguments, info, outputs)}


def _scores(arguments: argparse.Namespace, info: PackageInfo, outputs: Sequence[Array]
            ) -> dict[str, Any]:
    tensor = info.outputs[0]
    scores = answers.dequantized(outputs[0], tensor.scale, tensor.zero_point)
    names = names_for(info.labels, scores.size) if info.labels else ()
    best = answers.top_scores(scores, names)
    if not arguments.json:
        print_table(("class", "score", "name"),
                    [(one.index, f"{one.score:.4f}", one.name) for one in best])
    return {"top5": [{"class": one.index, "name": one.name, "score": one.score} for one in best]}


def _boxes(arguments: argparse.Namespace, info: PackageInfo, outputs: Sequence[Array]
           ) -> dict[str, Any]:
    image = load_picture(arguments.inputs[0])
    assert info.preprocess is not None  # load_image() has refused a picture without it
    placement = placement_of(image.size, info.preprocess, info.inputs[0])
    found = answers.boxes(outputs, placement, info.labels, arguments.threshold)
    if arguments.draw:
        save_picture(arguments.draw, answers.draw_boxes(image, found))
    if not arguments.json:
        print_table(("name", "score", "left", "top", "right", "bottom"),
                    [(b.name, f"{b.score:.3f}", *(round(edge) for edge in
                                                  (b.left, b.top, b.right, b.bottom)))
                     for b in found])
    return {"boxes": [{"name": b.name, "score": b.score, "left": b.left, "top": b.top,
                       "right": b.right, "bottom": b.bottom} for b in found]}


def _mask(arguments: argparse.Namespace, info: PackageInfo, outputs: Sequence[Array]
          ) -> dict[str, Any]:
    image = load_picture(arguments.inputs[0])
    assert info.preprocess is not None  # load_image() has refused a picture without it
    labels = answers.mask(outputs[0], placement_of(image.size, info.preprocess, info.inputs[0]))
    if arguments.draw:
        save_picture(arguments.draw, answers.draw_mask(image, labels))
    values, counts = np.unique(labels, return_counts=True)
    shares = [{"class": int(value), "name": answers.name_of(int(value), info.labels),
               "percent": 100 * int(count) / labels.size}
              for value, count in zip(values, counts, strict=True)]
    if not arguments.json:
        print_table(("class", "% of picture", "name"),
                    [(one["class"], one["percent"], one["name"]) for one in shares])
        if not arguments.draw:
            say("(--draw FILE.png saves the segmentation as a picture)")
    return {"classes": shares}


def _tensors(arguments: argparse.Namespace, info: PackageInfo, outputs: Sequence[Array]
             ) -> dict[str, Any]:
    rows = [(tensor.name, tensor_text(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point))
            for tensor in info.outputs]
    if not arguments.json:
        print_table(("output", "type"), rows)
        if not arguments.out:
            say("(--out FILE.npy saves the values)")
    return {"outputs": [{"name": tensor.name, "shape": value.shape, "dtype": str(value.dtype)}
                        for tensor, value in zip(info.outputs, outputs, strict=True)]}
