# SPDX-License-Identifier: Apache-2.0
"""Trains gf2 codes for a network's bottleneck maps, and the network to live with them.

    python -m edgefm.training.gf2 MODEL --calib DIR --bits 3.25 -o trained/

The model is any that edgefm imports, float or integer; what is coded are its bottlenecks
(SqueezeNet's squeezed maps, MobileNetV2's blocks), those that additions tie with one code. Labels
are not needed. First the codes are chosen: bits go to the channels whose errors cost the network
most (squared derivatives of its log-probabilities). Then network and codes are trained together to
give the uncompressed network's probabilities (distillation), gradients passing the codes straight
through. Writes the integer network `network.tflite` and `tables.npz`, for its maps:

    edgefm compile trained/network.tflite --tables trained/tables.npz --cut MAPS -o net.efm

With `--flat BITS` the maps have 2^BITS equal steps instead, the plain alternative trained alike;
with `--share` channels may have one code for 2x2 pixels.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as tnf

from edgefm import importers
from edgefm.codecs import gf2
from edgefm.codecs.tables_file import MapTables, write_tables
from edgefm.compiler.calibration import calibration_inputs
from edgefm.console.command import complete, run
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.files.write import check_folder, make_folder, write_file
from edgefm.images.preprocess import choose_preprocess, value_range
from edgefm.network.graph import Array, Graph, Quant, Tensor
from edgefm.ops.quantize import dequantized
from edgefm.quantization.choose import QuantizeOptions, quantize
from edgefm.quantization.dequantize import dequantized_graph
from edgefm.rate_distortion.channel_groups import ChannelGroup, bottlenecks, maps_read
from edgefm.rate_distortion.requantize import with_quants
from edgefm.training import student
from edgefm.training.codes import (
    LOWEST,
    MapCode,
    chosen_codes,
    flat_codes,
    scaled,
    step_of,
    tables_of,
)

PROGRAM = "edgefm.training.gf2"
FIT_IMAGES = 100       # that codes are chosen with
QUANTIZE_IMAGES = 100  # that say what the trained network's maps hold
REACH_RATE = 0.02      # of learning, for logs of reaches
MEAN_RATE = 0.01       # and for what channels without bits are
WARM_UP = 20           # batches until the full rate
BATCH = 25             # images at once where no gradient is kept
LEVELS = 255           # steps between the least and the greatest

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Pupil:
    """A float network to be trained, the inputs it is trained with, what ranges its maps had before
    and what its input can be, if that is known; groups that are coded, by name of their first
    map."""

    graph: Graph
    inputs: Sequence[Array]
    ranges: Mapping[str, Range]
    input_range: Range | None
    groups: Mapping[str, ChannelGroup]

    @property
    def images(self) -> torch.Tensor:
        """The inputs as [N, C, H, W]."""
        return student.images(self.inputs)

    def coded(self, codes: Mapping[str, MapCode]) -> student.Store:
        """A store that codes the maps of the groups."""
        mine = {t: codes[name] for name, group in self.groups.items()
                for t in maps_read(self.graph, group)}
        return lambda t, x: mine[t](x) if t in mine else x


def read_pupil(path: Path, options: argparse.Namespace) -> Pupil:
    """The network of a model file with calibration inputs, and the bottlenecks that hold the maps
    asked for (none: all). Raises BadInput for a map that no bottleneck has."""
    source = importers.load(path)
    preprocess = choose_preprocess(source, options.preprocess, None)
    inputs = calibration_inputs(source, preprocess, options.calib, options.limit)
    graph = dequantized_graph(source)
    into = source.tensors[source.inputs[0]]
    if into.quant is not None:
        inputs = [dequantized(x, into) for x in inputs]
    ranges = {tensor.name: _range(tensor) for tensor in source.tensors
              if tensor.data is None and tensor.quant is not None}
    known = value_range(preprocess) if preprocess else None
    found = {_first(graph, group): group for group in bottlenecks(graph)}
    names = {graph.tensors[t].name: name for name, group in found.items()
             for t in maps_read(graph, group)}
    for name in options.maps or ():
        if name not in names:
            raise BadInput(f"{path}: map {name!r} is not a bottleneck; expected one of "
                           f"{', '.join(names) or 'none that it has'}")
    chosen = {names[name] for name in options.maps or names}
    if not chosen:
        raise BadInput(f"{path}: got no bottleneck map, expected one that a convolution expands to "
                       "more channels")
    return Pupil(graph, inputs, ranges, ranges.get(into.name, known),
                 {name: group for name, group in found.items() if name in chosen})


def _first(graph: Graph, group: ChannelGroup) -> str:
    return graph.tensors[maps_read(graph, group)[0]].name


def _range(tensor: Tensor) -> Range:
    low = 0 if tensor.dtype == "uint8" else LOWEST
    return tuple((q - tensor.zero_point) * tensor.scale  # type: ignore[return-value]
                 for q in (low, low + LEVELS))


# -- choosing --------------------------------------------------------------------------------------


def maps_of(pupil: Pupil, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the groups' stored maps hold without codes, float [N * maps, C, H, W] each."""
    found: dict[int, list[torch.Tensor]] = {
        t: [] for group in pupil.groups.values() for t in maps_read(pupil.graph, group)}

    def store(t: int, x: torch.Tensor) -> torch.Tensor:
        if t in found:
            found[t].append(x)
        return x

    fixed = student.parameters(pupil.graph)
    with torch.no_grad():
        for batch in images.split(BATCH):
            student.scores(pupil.graph, fixed, batch, store)
    return {name: torch.cat([x for t in maps_read(pupil.graph, group) for x in found[t]])
            for name, group in pupil.groups.items()}


def costs_of(pupil: Pupil, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Per group and channel, the nats that a mean squared error of 1 in all of its maps costs, to
    second order: half the mean square of the derivative of log-probabilities, weighted by
    probability. Random signs keep the classes' squares apart in expectation."""
    torch.manual_seed(1)
    fixed = student.parameters(pupil.graph)
    wanted = {t: name for name, group in pupil.groups.items()
              for t in maps_read(pupil.graph, group)}
    costs = {name: torch.zeros(1) for name in pupil.groups}
    for batch in images.split(BATCH):
        kept: dict[int, torch.Tensor] = {}

        def store(t: int, x: torch.Tensor, kept: dict[int, torch.Tensor] = kept) -> torch.Tensor:
            if t in wanted:
                kept[t] = x if x.requires_grad else x.requires_grad_()
                kept[t].retain_grad()
            return x

        scores = tnf.log_softmax(student.scores(pupil.graph, fixed, batch, store), 1)
        signs = torch.randint(0, 2, scores.shape) * 2 - 1
        (scores * (scores.detach() / 2).exp() * signs).sum().backward()
        for t, name in wanted.items():
            slope = kept[t].grad
            assert slope is not None
            costs[name] = costs[name] + (slope ** 2).sum((0, 2, 3)) / (2 * len(images))
    return costs


def codes_for(pupil: Pupil, options: argparse.Namespace) -> dict[str, MapCode]:
    """Codes for the groups' maps as the untrained network makes them."""
    some = pupil.images[::max(1, len(pupil.inputs) // FIT_IMAGES)][:FIT_IMAGES]
    maps = maps_of(pupil, some)
    if options.flat:
        return flat_codes(maps, options.flat)
    times = {name: len(maps_read(pupil.graph, group)) for name, group in pupil.groups.items()}
    return chosen_codes(maps, costs_of(pupil, some), options.bits, options.share, times)


# -- training --------------------------------------------------------------------------------------


def distil(pupil: Pupil, codes: Mapping[str, MapCode], options: argparse.Namespace
           ) -> tuple[Pupil, dict[str, MapCode]]:
    """Network and codes trained together, towards what the network says without codes."""
    torch.manual_seed(1)
    images, own = pupil.images, student.parameters(pupil.graph)
    with torch.no_grad():
        goal = torch.cat([tnf.log_softmax(student.scores(pupil.graph, own, batch), 1)
                          for batch in images.split(BATCH)])
    taught = {t: tensor.clone().requires_grad_() for t, tensor in own.items()}
    learned = {name: replace(code, log_reach=code.log_reach.clone().requires_grad_(),
                             mean=code.mean.clone().requires_grad_())
               for name, code in codes.items()}
    optimizer = torch.optim.Adam([
        {"params": list(taught.values()), "lr": options.rate},
        {"params": [code.log_reach for code in learned.values()], "lr": REACH_RATE},
        {"params": [code.mean for code in learned.values()], "lr": MEAN_RATE}])
    rounds = -(-len(images) // options.batch) * options.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: min(
        1, (done + 1) / WARM_UP) * (1 + math.cos(math.pi * done / rounds)) / 2)
    for epoch in range(options.epochs):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(options.batch):
            out = student.scores(pupil.graph, taught, images[chosen], pupil.coded(learned))
            loss = tnf.kl_div(tnf.log_softmax(out, 1), goal[chosen], reduction="batchmean",
                              log_target=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        say(f"epoch {epoch + 1} of {options.epochs}: KL {total / len(images):.4f}", flush=True)
    return (replace(pupil, graph=student.with_parameters(pupil.graph, taught)),
            {name: replace(code, log_reach=code.log_reach.detach(), mean=code.mean.detach())
             for name, code in learned.items()})


# -- deploying -------------------------------------------------------------------------------------


def deployed(pupil: Pupil, codes: Mapping[str, MapCode]) -> Graph:
    """The integer network with coded maps of one step each. Maps that no code touches keep the
    ranges that they had, if the network was an integer one."""
    made = scaled(pupil.graph, [(pupil.groups[name], code) for name, code in codes.items()])
    touched = {made.tensors[t].name for name in codes for t in pupil.groups[name].maps}
    given = {name: limits for name, limits in pupil.ranges.items() if name not in touched}
    some = pupil.inputs[::max(1, len(pupil.inputs) // QUANTIZE_IMAGES)][:QUANTIZE_IMAGES]
    graph = quantize(made, some, QuantizeOptions(
        ("99.99",), (True,), (False,), pupil.input_range, given, max(1, len(some) // 8)))
    quants = {made.tensors[t].name: Quant((float(np.float32(step_of(code))),),
                                          (code.zero + LOWEST,))
              for name, code in codes.items() for t in maps_read(made, pupil.groups[name])}
    return with_quants(graph, {t: quants[tensor.name] for t, tensor in enumerate(graph.tensors)
                               if tensor.name in quants})  # cut off where the codes cut off


def write(out: Path, pupil: Pupil, codes: Mapping[str, MapCode]) -> None:
    """`network.tflite`, and `tables.npz` for its maps."""
    make_folder(out)
    graph = deployed(pupil, codes)
    write_file(out / "network.tflite", export_tflite(graph))
    steps = {tensor.name: tensor.scale for tensor in graph.tensors
             if tensor.quant is not None and len(tensor.quant.scale) == 1}
    tables = {}
    for name, code in codes.items():
        net, paired = tables_of(code)
        for t in maps_read(pupil.graph, pupil.groups[name]):
            own = pupil.graph.tensors[t].name
            tables[own] = MapTables("gf2", gf2.pack(net), steps[own], paired)
    write_tables(out / "tables.npz", tables)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog=PROGRAM, description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", type=Path, metavar="MODEL")
    made.add_argument("--calib", type=Path, required=True, metavar="DIR")
    made.add_argument("--limit", type=int, default=500, metavar="N", help="of its pictures")
    made.add_argument("--preprocess", help="as compile takes it")
    made.add_argument("--maps", nargs="+", metavar="NAME", help="default: every bottleneck")
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
    return complete(lambda: _train(options), PROGRAM)


def _train(options: argparse.Namespace) -> None:
    check_folder(options.out)
    pupil = read_pupil(options.model, options)
    codes = codes_for(pupil, options)
    for name, code in codes.items():
        say(f"{name}: {code.stored:.2f} bits per value", flush=True)
    if options.epochs:
        pupil, codes = distil(pupil, codes, options)
    write(options.out, pupil, codes)


if __name__ == "__main__":
    run(main, PROGRAM)
