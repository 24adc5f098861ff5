# SPDX-License-Identifier: Apache-2.0
"""Trains gf2 codes for SqueezeNet's squeezed maps, and the network to live with them.

    python -m edgefm.training.gf2 squeezenet.npz --calib DIR --bits 3.25 -o trained/

Labels are not needed. First the codes are chosen map by map: bits go to the channels whose errors
cost the network most (squared derivatives of its log-probabilities). Then network and codes are
trained together to give the uncompressed network's probabilities (distillation), gradients passing
the codes straight through. Writes `weights.npz` (torchvision's names) and `tables.npz`, for the
maps of that network:

    edgefm compile trained/weights.npz --calib DIR --tables trained/tables.npz -o net.efm

With `--flat BITS` the maps have 2^BITS equal steps instead, the plain alternative trained alike;
with `--share` channels may have one code for 2x2 pixels.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as tnf

from edgefm import importers
from edgefm.codecs import gf2
from edgefm.compiler import calibration_inputs
from edgefm.errors import BadInput, EdgefmError
from edgefm.importers.npz import METADATA
from edgefm.preprocess import choose_preprocess
from edgefm.tables import MapTables, write_tables
from edgefm.training import networks
from edgefm.training.codes import MapCode, chosen_codes, flat_codes, scaled, tables_of

LOWEST = -128      # of a rectified int8 map
FIT_IMAGES = 100   # that codes are chosen with
REACH_RATE = 0.02  # of learning, for logs of reaches
MEAN_RATE = 0.01   # and for what channels without bits are
WARM_UP = 20       # batches until the full rate
BATCH = 25         # images at once where no gradient is kept
Codes = Mapping[str, MapCode]


def squeezed_maps(weights: networks.Parameters) -> list[str]:
    """The maps between the two layers of each fire module, in order."""
    names = [name.removesuffix(".weight") for name in weights if name.endswith("squeeze.weight")]
    return sorted(names, key=lambda name: int(name.split(".")[1]))


def coded(codes: Mapping[str, Callable[[torch.Tensor], torch.Tensor]]) -> networks.Store:
    """A store that codes the named maps."""
    return lambda name, x: codes[name](x) if name in codes else x


def maps_of(weights: networks.Parameters, images: torch.Tensor, names: Sequence[str]
            ) -> dict[str, torch.Tensor]:
    """The named maps float [N, C, H, W] of the network without codes.

    Raises BadInput for a name that no squeezed map has.
    """
    known = squeezed_maps(weights)
    for name in names:
        if name not in known:
            raise BadInput(f"map {name!r}: expected a squeezed one such as {known[:1]}")
    found: dict[str, list[torch.Tensor]] = {name: [] for name in names}

    def store(name: str, x: torch.Tensor) -> torch.Tensor:
        if name in found:
            found[name].append(x)
        return x

    with torch.no_grad():
        for batch in images.split(BATCH):
            networks.squeezenet(weights, batch, False, store)
    return {name: torch.cat(parts) for name, parts in found.items()}


def costs_of(weights: networks.Parameters, images: torch.Tensor, names: Sequence[str]
             ) -> dict[str, torch.Tensor]:
    """Per channel, the nats that a mean squared error of 1 costs, to second order: half the mean
    square of the derivative of log-probabilities, weighted by probability. Random signs keep the
    classes' squares apart in expectation."""
    torch.manual_seed(1)
    fixed = {name: tensor.requires_grad_(False) for name, tensor in weights.items()}
    costs = {name: torch.zeros(1) for name in names}
    for batch in images.split(BATCH):
        kept: dict[str, torch.Tensor] = {}

        def store(name: str, x: torch.Tensor, kept: dict[str, torch.Tensor] = kept
                  ) -> torch.Tensor:
            kept[name] = x if x.requires_grad else x.requires_grad_()
            kept[name].retain_grad()
            return x

        scores = tnf.log_softmax(networks.squeezenet(fixed, batch, False, store), 1)
        signs = torch.randint(0, 2, scores.shape) * 2 - 1
        (scores * (scores.detach() / 2).exp() * signs).sum().backward()
        for name in names:
            slope = kept[name].grad
            assert slope is not None
            costs[name] = costs[name] + (slope ** 2).sum((0, 2, 3)) / (2 * len(images))
    return costs


def codes_for(weights: networks.Parameters, images: torch.Tensor, options: argparse.Namespace
              ) -> dict[str, MapCode]:
    """Codes for the maps as the untrained network makes them."""
    some = images[::max(1, len(images) // FIT_IMAGES)][:FIT_IMAGES]
    names = options.maps or squeezed_maps(weights)
    maps = maps_of(weights, some, names)
    if options.flat:
        return flat_codes(maps, options.flat)
    return chosen_codes(maps, costs_of(weights, some, names), options.bits, options.share)


def distil(weights: networks.Parameters, codes: Codes, images: torch.Tensor,
           options: argparse.Namespace) -> tuple[networks.Parameters, dict[str, MapCode]]:
    """Network and codes trained together, towards what the network says without codes."""
    torch.manual_seed(1)
    with torch.no_grad():
        goal = torch.cat([tnf.log_softmax(networks.squeezenet(weights, batch), 1)
                          for batch in images.split(BATCH)])
    student = {name: tensor.detach().clone().requires_grad_() for name, tensor in weights.items()}
    learned = {name: replace(code, log_reach=code.log_reach.clone().requires_grad_(),
                             mean=code.mean.clone().requires_grad_())
               for name, code in codes.items()}
    optimiser = torch.optim.Adam([
        {"params": list(student.values()), "lr": options.rate},
        {"params": [code.log_reach for code in learned.values()], "lr": REACH_RATE},
        {"params": [code.mean for code in learned.values()], "lr": MEAN_RATE}])
    rounds = -(-len(images) // options.batch) * options.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda done: min(
        1, (done + 1) / WARM_UP) * (1 + math.cos(math.pi * done / rounds)) / 2)
    for epoch in range(options.epochs):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(options.batch):
            out = networks.squeezenet(student, images[chosen], False, coded(learned))
            loss = tnf.kl_div(tnf.log_softmax(out, 1), goal[chosen], reduction="batchmean",
                              log_target=True)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1} of {options.epochs}: KL {total / len(images):.4f}", flush=True)
    return ({name: tensor.detach() for name, tensor in student.items()},
            {name: replace(code, log_reach=code.log_reach.detach(), mean=code.mean.detach())
             for name, code in learned.items()})


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
    found = calibration_inputs(graph, preprocess, options.calib, options.limit)
    return torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2)  # channels last in memory


def write(out: Path, model: Path, weights: networks.Parameters, codes: Codes) -> None:
    """`weights.npz` with what the model's file says beside its weights, and `tables.npz`."""
    out.mkdir(parents=True, exist_ok=True)
    made, steps = scaled(weights, codes)
    with np.load(model, allow_pickle=False) as source:  # input size and the like
        told = {name: source[name] for name in source.files if name.startswith(METADATA)}
    np.savez_compressed(out / "weights.npz", **told,
                        **{name: tensor.numpy() for name, tensor in made.items()})
    tables = {}
    for name, code in codes.items():
        net, paired = tables_of(code, LOWEST)
        tables[name] = MapTables("gf2", gf2.pack(net), steps[name], paired)
    write_tables(out / "tables.npz", tables)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="edgefm.training.gf2", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", type=Path, metavar="WEIGHTS.npz")
    made.add_argument("--calib", type=Path, required=True, metavar="DIR")
    made.add_argument("--limit", type=int, default=500, metavar="N", help="of its pictures")
    made.add_argument("--preprocess", default="torchvision")
    made.add_argument("--maps", nargs="+", metavar="NAME", help="default: every squeezed map")
    made.add_argument("--bits", type=float, default=3.25,
                      help="stored per value, over all maps (default %(default)s)")
    made.add_argument("--share", action="store_true", help="2x2 pixels may share a code")
    made.add_argument("--flat", type=int, default=0, metavar="BITS",
                      help="maps of 2^BITS equal steps")
    made.add_argument("--epochs", type=int, default=2)
    made.add_argument("--batch", type=int, default=10)
    made.add_argument("--rate", type=float, default=5e-5, help="of learning (default %(default)s)")
    made.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then write what was learned."""
    options = parser().parse_args(arguments)
    try:
        weights, images = read_weights(options.model), read_images(options.model, options)
        codes = codes_for(weights, images, options)
        for name, code in codes.items():
            print(f"{name}: {code.stored:.2f} bits per value", flush=True)
        if options.epochs:
            weights, codes = distil(weights, codes, images, options)
        write(options.out, options.model, weights, codes)
    except EdgefmError as error:
        print(f"edgefm.training.gf2: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
