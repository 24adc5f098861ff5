# SPDX-License-Identifier: Apache-2.0
"""Maps of clips, each frame coded alone or against the frame before: bytes, and what it costs.

MobileNetV2's block maps within a KL budget, calibrated on imagenet_sample. The clips are those of
the data folder, and made-up ones of a camera that stands still: a validation photo under fresh
Gaussian noise in every frame. KL is between the decisions of a frame that is coded against the
one before and of the same frame coded alone; it is 0 where no tolerance is given. The first frame,
which refers to none, is left out of every mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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

from edgefm.compiler import choose_codec
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, calibration_inputs, compile_loaded, load_model
from edgefm.evaluate.codec_costs import boundaries_of
from edgefm.network.graph import Array, Graph
from edgefm.package.container import Description, write_package
from edgefm.rate_distortion.divergence import decision_of, divergences
from edgefm.runtime import RunResult, Runtime

CLIPS = "video/clips_224_u8.npz"
PHOTOS = 6  # made-up clips per strength of noise


@dataclass(frozen=True)
class Mean:
    """Means over the frames of some clips, but the first of each; `moving` is the share of 8x8
    blocks of pixels that differ from the frame before by more than 8 on average."""

    alone: float
    against: float
    values: float
    kl: float
    moving: float
    reference: float


def main() -> None:
    """Print one row per clip and tolerance."""
    arguments = parser(__doc__)
    arguments.add_argument("--kl-budget", type=float, default=0.014, metavar="NATS")
    arguments.add_argument("--frames", type=int, default=9, metavar="N", help="of each clip")
    arguments.add_argument("--tolerances", type=int, nargs="+", default=[0, 1, 2], metavar="STEPS")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    network, = networks(data, [MOBILENET_V2])
    compiled = _compiled(network, data, options.kl_budget)
    kept = sum(m.reference_bytes for m in compiled.plan.maps)
    print_table(("clip", "frames", "blocks that move %", "tolerance", "bits/value alone",
                 "bits/value against", "times fewer", "KL, nats", "reference, bytes",
                 "of it moved per frame"), _rows(compiled, data, options, kept))


def _compiled(network: Network, data: Path, nats: float) -> Compiled:
    """Block maps stored, and neither the picture nor vectors."""
    say(f"compiling {network.name}")
    model = load_model(network.file, CompileOptions())
    blocks = compile_loaded(model, options_for(network, data, cut="blocks"))
    names = [b.name for b in boundaries_of(blocks) if b.shape.width > 1 and b.shape.channels > 3]
    return compile_loaded(model, options_for(network, data, cut=",".join(names), codec="temporal",
                                             kl_budget=nats))


def _rows(compiled: Compiled, data: Path, options: argparse.Namespace, kept: int
          ) -> Iterator[tuple[object, ...]]:
    packages = {t: _tolerant(compiled, t) for t in options.tolerances}
    for name, clips in _clips(compiled, data, options.frames):
        for tolerance, package in packages.items():
            mean = _mean(compiled.graph, package, clips)
            yield (name, sum(len(clip) - 1 for clip in clips), f"{100 * mean.moving:.0f}",
                   tolerance, f"{8 * mean.alone / mean.values:.2f}",
                   f"{8 * mean.against / mean.values:.2f}", f"{mean.alone / mean.against:.2f}",
                   f"{mean.kl:.4f}", kept, round(mean.reference))


def _tolerant(compiled: Compiled, tolerance: int) -> bytes:
    return write_package(compiled.graph, compiled.program, compiled.plan,
                         choose_codec.with_tolerance(compiled.coded, tolerance), Description(""))


def _clips(compiled: Compiled, data: Path, frames: int) -> Iterator[tuple[str, list[Array]]]:
    with np.load(data / CLIPS) as found:
        for name in found.files:
            yield name, [found[name][:frames, None]]
    photos = calibration_inputs(compiled.graph, compiled.preprocess,
                                data / "images" / "imagenet_val", PHOTOS)
    for noise in (0.5, 1.0, 2.0):
        random = np.random.default_rng(0)
        yield f"still photos, noise {noise:g}", [_noisy(p, noise, frames, random) for p in photos]


def _noisy(photo: Array, noise: float, frames: int, random: np.random.Generator) -> Array:
    seen = photo + random.normal(0, noise, (frames, *photo.shape))
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _mean(graph: Graph, package: bytes, clips: Sequence[Array]) -> Mean:
    decision = decision_of(graph)
    rows = []
    for clip in clips:
        with Runtime(package) as runtime, Runtime(package) as other:
            for number, frame in enumerate(clip):
                against = runtime.run([frame], taps=True, frame=number)
                if number:
                    alone = other.run([frame], taps=True)
                    kl = divergences([decision.read(alone.taps)], [decision.read(against.taps)])
                    rows.append((*_counted(alone, against), float(kl.mean()),
                                 _moving(frame, clip[number - 1])))
    alone_bytes, coded, values, reference, nats, moving = np.mean(rows, axis=0)
    return Mean(alone_bytes, coded, values, nats, moving, reference)


def _counted(alone: RunResult, against: RunResult) -> tuple[int, int, int, int]:
    counters = against.counters
    return (alone.counters.coded_bytes, counters.coded_bytes, counters.coded_values,
            counters.reference_bytes)


def _moving(frame: Array, before: Array) -> float:
    height, width = (side // 8 for side in frame.shape[1:3])
    off = np.abs(frame.astype(np.int16) - before)[0, :8 * height, :8 * width].mean(2)
    return float((off.reshape(height, 8, width, 8).mean((1, 3)) > 8).mean())


if __name__ == "__main__":
    main()
