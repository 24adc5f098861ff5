# SPDX-License-Identifier: Apache-2.0
"""Arguments that several verbs share, and the way from them to a compiled package."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.compiler.zoo_defaults import with_zoo_defaults
from edgefm.console.notation import read_size
from edgefm.errors import BadInput
from edgefm.files.read import read_bytes
from edgefm.files.write import check_file
from edgefm.images.labels import read_names
from edgefm.rate_distortion import RULES, TRANSFORMS
from edgefm.rate_distortion.points_per_nat import PER_NAT, read_per_nat
from edgefm.rate_distortion.quality_maps import QUALITIES, TILE
from host_tools.cli.output import progress_bar

Check = Callable[[Path, Sequence[Path]], object]


def size(text: str) -> int:
    """A size in bytes: 65536, 64K, 1.5M (units of 1,024)."""
    try:
        return read_size(text)
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, met {text!r}")
    return number


def count(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, met {text!r}")
    return int(text)


def times(text: str) -> int:
    """A whole number; 0 stands for no end."""
    return 0 if text == "0" else count(text)


def steps(text: str) -> int:
    """A whole number from 0 to 255."""
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 255, met {text!r}")
    return int(text)


def add_output(parser: argparse.ArgumentParser, *flags: str, check: Check = check_file,
               **options: Any) -> None:
    """An argument that names what the verb writes: `check`ed before the verb begins."""
    action = parser.add_argument(*flags, type=Path, **options)
    parser.set_defaults(outputs={**(parser.get_default("outputs") or {}), action.dest: check})


def check_outputs(arguments: argparse.Namespace) -> None:
    """Check what a command line is to write; all other paths in it are inputs. Raises BadInput."""
    checks = getattr(arguments, "outputs", {})
    inputs = [path for name, value in vars(arguments).items() if name not in checks
              for path in _paths(value)]
    for name, check in checks.items():
        for path in _paths(getattr(arguments, name)):
            check(path, inputs)


def _paths(value: object) -> Iterator[Path]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Path):
            yield one
        elif isinstance(one, str) and Path(one).is_file():  # a file where a name may stand as well
            yield Path(one)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object and nothing else")


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    """Everything that says how a model becomes a package."""
    group = parser.add_argument_group("compilation")
    group.add_argument("--calib", type=Path, metavar="DIR",
                       help="pictures or .npy files to calibrate with (float models and codecs)")
    group.add_argument("--fast", type=size, metavar="SIZE",
                       help="fast memory, e.g. 64K (default: as much as is useful)")
    group.add_argument("--external", type=size, metavar="SIZE",
                       help="external memory, e.g. 16M (default: the target's); with 0 and a codec "
                            "or a budget, maps that do not fit are kept in a page pool")
    group.add_argument("--codec", metavar="raw|lossless|ID",
                       help="coding of feature maps in external memory (default raw, or context "
                            "under a budget)")
    group.add_argument("--tables", type=Path, metavar="FILE.npz",
                       help="codecs and tables for some maps, as training wrote them; those maps "
                            "are stored with them")
    group.add_argument("--tolerance", type=steps, default=0, metavar="STEPS",
                       help="with --codec temporal: take parts of a map from the frame before "
                            "where all their values differ by at most STEPS (default 0: lossless)")
    group.add_argument("--refresh", type=times, default=0, metavar="FRAMES",
                       help="with --codec temporal: code every FRAMES-th frame without the frame "
                            "before (default 0: only the first one)")
    budget = group.add_mutually_exclusive_group()
    budget.add_argument("--kl-budget", type=positive, metavar="NATS",
                        help="coarser steps for stored maps, up to this mean KL from the network "
                             "without them (measured on held-out files of --calib)")
    budget.add_argument("--accuracy-budget", type=positive, metavar="POINTS",
                        help="the same for top-1 points, estimated from KL and not checked")
    budget.add_argument("--byte-budget", type=size, metavar="SIZE",
                        help="coarser steps and caps, so that stored maps take no more bytes per "
                             "inference, written and read, whatever the picture")
    budget.add_argument("--mean-byte-budget", type=size, metavar="SIZE",
                        help="coarser steps until they take no more on average; single pictures "
                             "may take more")
    group.add_argument("--points", type=Path, metavar="sweep.json",
                       help="points per nat as `edgefm sweep` measured them on this network "
                            f"(default: at most {PER_NAT[1]:g})")
    group.add_argument("--rate-rule", choices=RULES, default="slope",
                       help="equal loss per byte everywhere (default), or steps in proportion to "
                            "each map's standard deviation")
    group.add_argument("--transform", choices=TRANSFORMS, default="channels",
                       help="under a budget: a step per channel where the operators around a map "
                            "absorb it (default), channels mixed as well where nothing rectifies "
                            "between (klt), or one step per map (none)")
    group.add_argument("--quality", choices=QUALITIES, default="even",
                       help="where in a stored map steps may be coarser: nowhere (even, default), "
                            "in rows or tiles that count little (rows, static), below calm tiles "
                            "(derived), in calm tiles (signalled)")
    group.add_argument("--tile", type=times, default=TILE, metavar="N",
                       help=f"pixels of a tile of --quality (default {TILE}; 0: whole rows)")
    group.add_argument("--target", metavar="FILE|NAME", help="memories of a board (TOML)")
    group.add_argument("--objective", choices=("cost", "maps"), default="cost",
                       help="minimize the cost of all bytes, or feature-map bytes first")
    group.add_argument("--cut", default="auto", metavar="auto|ops|blocks|TENSOR,…",
                       help="where stages end (default auto)")
    group.add_argument("--preprocess", metavar="raw|tf|torchvision|caffe|mean=…,std=…,order=…",
                       help="how pixels become input values (pixel units, 0..255)")
    group.add_argument("--geometry", choices=("crop", "stretch", "letterbox"),
                       help="how a picture is fitted to the input")
    group.add_argument("--names", type=Path, metavar="FILE", help="class names, one per line")


def compile_options(arguments: argparse.Namespace, model: Path,
                    pictures: bool = True) -> CompileOptions:
    """The options of a command line; for a model of the zoo its own defaults fill the gaps.

    Without `pictures` the package is not for them, and nobody is asked how they become numbers.
    """
    names = read_names(arguments.names) if arguments.names else ()
    options = CompileOptions(
        fast=arguments.fast, external=arguments.external, codec=arguments.codec,
        objective=arguments.objective, cut=arguments.cut, target=arguments.target,
        calib=arguments.calib, preprocess=arguments.preprocess, geometry=arguments.geometry,
        labels=names,
        kl_budget=arguments.kl_budget, accuracy_budget=arguments.accuracy_budget,
        byte_budget=arguments.byte_budget, mean_byte_budget=arguments.mean_byte_budget,
        rate_rule=arguments.rate_rule,
        transform=arguments.transform, tables=arguments.tables, tolerance=arguments.tolerance,
        refresh=arguments.refresh, quality=arguments.quality, tile=arguments.tile,
        points_per_nat=read_per_nat(arguments.points) if arguments.points else PER_NAT,
        pictures=pictures)
    return with_zoo_defaults(options, model)


@dataclass(frozen=True, slots=True)
class Package:
    """A package and, when it was compiled just now, what it was compiled from."""

    data: bytes = field(repr=False)
    compiled: Compiled | None


def load_package(arguments: argparse.Namespace, path: Path, pictures: bool = True) -> Package:
    """An .efm as it is; any other model compiled as `compile_options` says."""
    if is_package(path):
        return Package(read_bytes(path), None)
    with progress_bar(f"compile {path.name}") as bar:
        compiled = compile_model(path, compile_options(arguments, path, pictures),
                                 lambda: bar.update())
    return Package(compiled.package, compiled)


def is_package(path: Path) -> bool:
    """True for an .efm, by its name."""
    return path.suffix.lower() == ".efm"
