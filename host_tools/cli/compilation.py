# SPDX-License-Identifier: Apache-2.0
"""Options of a compilation, and the code that compiles a package with them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from edgefm.api.progress import quantizing_runs
from edgefm.compiler.coded_weights import RAW, WEIGHT_CODECS, WEIGHT_MEMORIES
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.compiler.zoo_defaults import with_zoo_defaults
from edgefm.files.read import read_bytes
from edgefm.images.labels import read_names
from edgefm.planner.objective import OBJECTIVES
from edgefm.rate_distortion import COARSENED, RULES, TRANSFORMS
from edgefm.rate_distortion.points_per_nat import read_per_nat
from edgefm.rate_distortion.quality_maps import QUALITIES, TILE
from host_tools.cli.arguments import positive, shape, size, steps, times
from host_tools.cli.progress import progress_bar


def add_compile_options(parser: argparse.ArgumentParser, *also: str) -> None:
    """Add the options that say how a model becomes a package; `also` are aliases of --calib."""
    group = parser.add_argument_group("compilation")
    group.add_argument("--calib", *also, type=Path, metavar="DIR",
                       help="folder of typical pictures or .npy files to calibrate float models "
                            "and codecs with (default: none)")
    group.add_argument("--fast", type=size, metavar="SIZE",
                       help="fast memory in bytes, e.g. 64K (default: as much as helps)")
    group.add_argument("--external", type=size, metavar="SIZE",
                       help="external memory in bytes, e.g. 16M (default: the target's); with 0 "
                            "and a codec or a budget, a page pool in fast memory keeps maps that "
                            "do not fit")
    group.add_argument("--codec", metavar="raw|lossless|ID",
                       help="codec for feature maps in external memory (default: raw, or context "
                            "under a budget)")
    group.add_argument("--tables", type=Path, metavar="FILE.npz",
                       help="file of trained codecs and tables, used for the maps that it names "
                            "(default: none)")
    group.add_argument("--tolerance", type=steps, default=0, metavar="STEPS",
                       help="with --codec temporal: reuse a part of a map from the previous frame "
                            "if no value differs by more than STEPS quantization steps, 0 to 255 "
                            "(default: 0, lossless)")
    group.add_argument("--refresh", type=times, default=0, metavar="FRAMES",
                       help="with --codec temporal: code every FRAMES-th frame without reference "
                            "to the previous one (default: 0, only the first)")
    budget = group.add_mutually_exclusive_group()
    budget.add_argument("--kl-budget", type=positive, metavar="NATS",
                        help="make steps coarser (see --coarsen) up to this mean KL divergence, in "
                             "nats, from the network without them; measured on held-out files of "
                             "--calib (default: no loss)")
    budget.add_argument("--accuracy-budget", type=positive, metavar="POINTS",
                        help="the same, up to this loss of top-1 in percentage points; estimated "
                             "from the decisions that change on these files, not measured "
                             "(default: no loss)")
    budget.add_argument("--byte-budget", type=size, metavar="SIZE",
                        help="make steps coarser and cap maps, so that stored maps move at most "
                             "SIZE bytes per inference, written and read, for any picture "
                             "(default: no limit)")
    budget.add_argument("--mean-byte-budget", type=size, metavar="SIZE",
                        help="make steps coarser until maps move at most SIZE bytes on average; "
                             "single pictures may move more (default: no limit)")
    group.add_argument("--coarsen", choices=COARSENED, default="maps",
                       help="what gets coarser steps under a loss budget: stored maps (default), "
                            "weights, or both at the same price per bit")
    group.add_argument("--points", type=Path, metavar="sweep.json",
                       help="top-1 points lost per nat, as `edgefm sweep` measured them on this "
                            "network (default: estimated from the decisions that change)")
    group.add_argument("--rate-rule", choices=RULES, default="slope",
                       help="slope: equal loss per byte everywhere (default); otherwise steps "
                            "proportional to each map's standard deviation")
    group.add_argument("--transform", choices=TRANSFORMS, default="channels",
                       help="under a budget: one step per channel where the operators around a map "
                            "can absorb it (default); also mix channels of maps without an "
                            "activation (klt); or one step per map (none)")
    group.add_argument("--quality", choices=QUALITIES, default="even",
                       help="where in a stored map steps may be coarser: nowhere (even, default), "
                            "in rows or tiles that matter little (rows, static), below calm tiles "
                            "(derived), in calm tiles (signalled)")
    group.add_argument("--tile", type=times, default=TILE, metavar="N",
                       help=f"width of a tile of --quality in pixels (default: {TILE}; 0: whole "
                            "rows)")
    group.add_argument("--target", metavar="FILE|NAME",
                       help="a board's memories: a TOML file or a known name (default: none)")
    group.add_argument("--packing", metavar="NAME",
                       help="layout of weights for the target's kernels (default: the one with the "
                            "fewest bytes)")
    group.add_argument("--weights", choices=WEIGHT_MEMORIES,
                       help="where weights lie: in mapped memory, or in one that is read through a "
                            "port, tile by tile (default: what the target says, else mapped)")
    group.add_argument("--weight-codec", choices=WEIGHT_CODECS, default=RAW,
                       help="code of weights, which are then decoded into fast memory where they "
                            "are used: raw (as they are, read in place; default), huffman, packed, "
                            "or auto, tile by tile the shortest")
    group.add_argument("--package", type=size, metavar="SIZE",
                       help="the most bytes of the package, e.g. 1750000: weights are coded, and "
                            "where that is not enough get coarser steps within a budget for loss "
                            "(default: no limit)")
    group.add_argument("--objective", choices=OBJECTIVES, default="cost",
                       help="what the plan minimizes: cost, of bytes and instructions at the "
                            "target's prices (default: of all bytes); maps, bytes of feature maps "
                            "first; bytes, of maps and weights; time and energy, predicted for "
                            "the target's processor")
    group.add_argument("--recompute", type=positive, metavar="TIMES",
                       help="where no plan fits, make columns of the first maps twice, within "
                            "TIMES the multiply-adds, e.g. 1.25; rows of the input are then asked "
                            "for more than once (default: never)")
    group.add_argument("--cut", default="auto", metavar="auto|ops|blocks|TENSOR,…",
                       help="where stages end (default: auto)")
    group.add_argument("--preprocess", metavar="raw|tf|torchvision|caffe|mean=…,std=…,order=…",
                       help="how pixels of 0 to 255 become input values (default: the zoo's for "
                            "its models; raw for integer inputs)")
    group.add_argument("--geometry", choices=("crop", "stretch", "letterbox"),
                       help="how a picture is fitted to the input (default: the zoo's, or crop)")
    group.add_argument("--input-shape", type=shape, metavar="N,C,H,W",
                       help="shape of the input of an .onnx file that leaves sizes open or has a "
                            "batch other than 1, in the file's order (default: the file's)")
    group.add_argument("--names", type=Path, metavar="FILE",
                       help="class names, one per line (default: the zoo's, or none)")


def compile_options(arguments: argparse.Namespace, model: Path,
                    pictures: bool = True) -> CompileOptions:
    """The options of a command line; a model of the zoo has its own defaults.

    Without `pictures` the package is not for pictures, and no preprocessing is required.
    """
    names = read_names(arguments.names) if arguments.names else ()
    options = CompileOptions(
        fast=arguments.fast, external=arguments.external, codec=arguments.codec,
        objective=arguments.objective, cut=arguments.cut,
        recompute=arguments.recompute, target=arguments.target,
        packing=arguments.packing, weight_codec=arguments.weight_codec,
        weights=arguments.weights, package=arguments.package,
        calib=arguments.calib, preprocess=arguments.preprocess, geometry=arguments.geometry,
        labels=names,
        kl_budget=arguments.kl_budget, accuracy_budget=arguments.accuracy_budget,
        byte_budget=arguments.byte_budget, mean_byte_budget=arguments.mean_byte_budget,
        rate_rule=arguments.rate_rule,
        transform=arguments.transform, coarsen=arguments.coarsen, tables=arguments.tables,
        tolerance=arguments.tolerance, refresh=arguments.refresh, quality=arguments.quality,
        tile=arguments.tile,
        points_per_nat=read_per_nat(arguments.points) if arguments.points else None,
        pictures=pictures, input_shape=arguments.input_shape)
    return with_zoo_defaults(options, model)


@dataclass(frozen=True, slots=True)
class Package:
    """A package and, if it was just compiled, its compilation."""

    data: bytes = field(repr=False)
    compiled: Compiled | None


def load_package(arguments: argparse.Namespace, path: Path, pictures: bool = True) -> Package:
    """Load an .efm as it is; compile any other model with `compile_options`."""
    if is_package(path):
        return Package(read_bytes(path), None)
    options = compile_options(arguments, path, pictures)
    runs = quantizing_runs(path, options)
    with progress_bar(f"compile {path.name}", runs or None, "run") as bar:
        compiled = compile_model(path, options, lambda: bar.update())
    return Package(compiled.package, compiled)


def is_package(path: Path) -> bool:
    """True for an .efm, by its name."""
    return path.suffix.lower() == ".efm"
