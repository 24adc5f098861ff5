# SPDX-License-Identifier: Apache-2.0
"""Trains gf2 codes for SqueezeNet's squeezed maps, and the network to live with them.

    python -m edgefm.training.gf2 squeezenet.npz --calib DIR --bits 3.5 -o trained/

Labels are not needed. First the codes are fitted to each map (`edgefm.codecs.gf2_fit`); then the
network is trained to give the uncompressed network's probabilities through them (distillation),
gradients passing the codes straight through; before each epoch the codes are fitted anew to the
maps as they have become. Writes `weights.npz` (torchvision's names) and `tables.npz`, for the maps
of that network as edgefm quantises it with the same folder:

    edgefm compile trained/weights.npz --calib DIR --tables trained/tables.npz

With `--flat BITS` the maps have 2^BITS levels instead, the plain alternative trained alike, and no
tables are written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as tnf

from edgefm import importers
from edgefm.codecs import RowShape, gf2, gf2_fit
from edgefm.compiler import CompileOptions, calibration_inputs, load_model
from edgefm.errors import BadInput, EdgefmError
from edgefm.graph import Array
from edgefm.importers.npz import METADATA
from edgefm.ops import run_graph
from edgefm.preprocess import choose_preprocess
from edgefm.tables import MapTables, write_tables
from edgefm.training import networks

MAPS = ("features.3.squeeze", "features.4.squeeze")
CLIPPED = 1e-4     # share of a map's values above its largest level
FIT_IMAGES = 200
TABLE_IMAGES = 48  # int8 maps that the final tables are learned from
BATCH = 25         # images at once where no gradient is kept
Code = Callable[[torch.Tensor], torch.Tensor]


def learned_code(maps: torch.Tensor, step: float, bits: float, block: int) -> Code:
    """gf2 for maps float [N, C, H, W] of 256 levels of `step`: maps -> maps."""
    rows = ((maps / step).round().clamp(0, 255) - 128).permute(0, 2, 3, 1).numpy().astype(np.int8)
    shape = RowShape(rows.shape[2], rows.shape[3], -128)
    state = gf2.start(gf2.pack(gf2_fit.learn(list(rows), shape, bits, block)), shape)
    encoder, thresholds, decoder, constants = (
        torch.from_numpy(part.astype(np.float32))
        for part in (state.encoder, state.thresholds, state.decoder, state.constants))

    low = state.learned.lowest + 128

    def code(x: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        level = tnf.pad((x / step).round().clamp(low, 255) - low, (0, -width % block, 0, 0),
                        mode="replicate")
        flat = level.permute(0, 2, 3, 1).reshape(-1, block * channels).to(torch.int64)
        planes = torch.cat([flat >> p & 1 for p in range(gf2.PLANES)], 1).float()
        stored = (planes @ encoder.T >= thresholds).float()
        back = ((stored @ decoder.T + constants).clamp(0, 255) + low).clamp(0, 255) * step
        return back.reshape(count, height, -1, channels)[:, :, :width].permute(0, 3, 1, 2)

    return code


def flat_code(step: float, bits: float) -> Code:
    """Maps of 2^bits levels over the range of 256 levels of `step`."""
    most = 2 ** bits - 1
    coarse = step * 255 / most
    return lambda x: (x / coarse).round().clamp(0, most) * coarse


def straight_through(codes: Mapping[str, Code]) -> networks.Store:
    """A store that codes the named maps, and whose gradient is that of the identity."""
    def store(name: str, x: torch.Tensor) -> torch.Tensor:
        return x if name not in codes else x + (codes[name](x.detach()) - x.detach())

    return store


def maps_of(weights: networks.Parameters, images: torch.Tensor, names: Sequence[str]
            ) -> dict[str, torch.Tensor]:
    """The named maps float [N, C, H, W] of the network without codes.

    Raises BadInput for a name that no squeezed map has.
    """
    found: dict[str, list[torch.Tensor]] = {name: [] for name in names}

    def store(name: str, x: torch.Tensor) -> torch.Tensor:
        if name in found:
            found[name].append(x)
        return x

    with torch.no_grad():
        for batch in images.split(BATCH):
            networks.squeezenet(weights, batch, False, store)
    for name, parts in found.items():
        if not parts:
            raise BadInput(f"map {name!r}: expected a squeezed one such as {MAPS[0]!r}")
    return {name: torch.cat(parts) for name, parts in found.items()}


def codes_for(weights: networks.Parameters, images: torch.Tensor, options: argparse.Namespace
              ) -> dict[str, Code]:
    """Codes fitted to the maps as the network makes them now."""
    codes: dict[str, Code] = {}
    for name, maps in maps_of(weights, images[:FIT_IMAGES], options.maps).items():
        few = maps.reshape(-1)[::max(1, maps.numel() // 1_000_000)]
        step = float(torch.quantile(few, 1 - CLIPPED)) / 255
        codes[name] = (flat_code(step, options.flat) if options.flat
                       else learned_code(maps, step, options.bits, options.block))
    return codes


def distil(weights: networks.Parameters, images: torch.Tensor, options: argparse.Namespace
           ) -> networks.Parameters:
    """The network trained through its codes, towards what it says without them."""
    torch.manual_seed(1)
    with torch.no_grad():
        goal = torch.cat([tnf.log_softmax(networks.squeezenet(weights, batch), 1)
                          for batch in images.split(BATCH)])
    student = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    optimiser = torch.optim.Adam(student.values(), lr=options.rate)
    rounds = -(-len(images) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.epochs * rounds)
    for epoch in range(options.epochs):
        store = straight_through(codes_for(_fixed(student), images, options))
        total = 0.0
        for chosen in torch.randperm(len(images)).split(options.batch):
            out = tnf.log_softmax(networks.squeezenet(student, images[chosen], False, store), 1)
            loss = tnf.kl_div(out, goal[chosen], reduction="batchmean", log_target=True)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1} of {options.epochs}: KL {total / len(images):.4f}", flush=True)
    return _fixed(student)


def _fixed(parameters: networks.Parameters) -> networks.Parameters:
    return {name: tensor.detach() for name, tensor in parameters.items()}


def tables_for(model: Path, options: argparse.Namespace) -> dict[str, MapTables]:
    """gf2 tables for the named maps of the network as edgefm quantises it."""
    settings = CompileOptions(calib=options.calib, preprocess=options.preprocess)
    loaded = load_model(model, settings)
    graph = loaded.graph
    index = {tensor.name: t for t, tensor in enumerate(graph.tensors)}
    maps: dict[str, list[Array]] = {name: [] for name in options.maps}
    for data in calibration_inputs(graph, loaded.preprocess, options.calib, TABLE_IMAGES):
        values = run_graph(graph, [data])
        for name, rows in maps.items():
            rows.append(values[index[name]][0])
    made = {}
    for name, rows in maps.items():
        tensor = graph.tensors[index[name]]
        shape = RowShape(tensor.shape[2], tensor.shape[3], tensor.zero_point)
        learned = gf2_fit.learn(rows, shape, options.bits, options.block)
        made[name] = MapTables("gf2", gf2.pack(learned), tensor.scale)
    return made


def read_weights(path: Path) -> networks.Parameters:
    """A state dict of float32 tensors. Raises BadInput for another kind of file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name].astype(np.float32))
                    for name in archive.files if not name.startswith(METADATA)}
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise BadInput(f"{path}: {error}; expected a .npz file of SqueezeNet's weights") from None


def read_images(model: Path, options: argparse.Namespace) -> torch.Tensor:
    """The calibration pictures as the float network takes them: [N, 3, H, W]."""
    graph = importers.load(model)
    preprocess = choose_preprocess(graph, options.preprocess, None)
    found = calibration_inputs(graph, preprocess, options.calib)
    return torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2).contiguous()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="edgefm.training.gf2", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", type=Path, metavar="WEIGHTS.npz")
    made.add_argument("--calib", type=Path, required=True, metavar="DIR")
    made.add_argument("--preprocess", default="torchvision")
    made.add_argument("--maps", nargs="+", default=list(MAPS), metavar="NAME")
    made.add_argument("--bits", type=float, default=gf2_fit.BITS_PER_VALUE,
                      help="stored per value (default %(default)s)")
    made.add_argument("--block", type=int, default=gf2_fit.BLOCK,
                      help="pixels coded together (default %(default)s)")
    made.add_argument("--flat", type=float, default=0.0, metavar="BITS",
                      help="no codes: maps of 2^BITS levels")
    made.add_argument("--epochs", type=int, default=3)
    made.add_argument("--batch", type=int, default=20)
    made.add_argument("--rate", type=float, default=2e-5, help="of learning (default %(default)s)")
    made.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then write what was learned."""
    options = parser().parse_args(arguments)
    try:
        weights = distil(read_weights(options.model), read_images(options.model, options), options)
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / "weights.npz"
        with np.load(options.model, allow_pickle=False) as source:  # input size and the like
            told = {name: source[name] for name in source.files if name.startswith(METADATA)}
        np.savez_compressed(path, **told, **{n: tensor.numpy() for n, tensor in weights.items()})
        if not options.flat:
            write_tables(options.out / "tables.npz", tables_for(path, options))
    except EdgefmError as error:
        print(f"edgefm.training.gf2: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
