# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: the folder of real models, the networks in it, tables in Markdown.

Float networks are quantized once, exported to .tflite and kept in build/benchmarks under a name
that changes with the model and with the code that quantizes; every script then reads that file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgefm import importers
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.console.terminal import prepare
from edgefm.exporters.tflite import export_tflite
from edgefm.files.write import make_folder, write_file
from edgefm.images.preprocess import is_picture
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.channel_groups import bottlenecks, maps_read

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "benchmarks"
MOBILENET_V2 = "tf2_mobilenet_v2_1.0_224_ptq"
SQUEEZENET = "squeezenet1_1_torchvision"
QUANTIZERS = ("compiler", "exporters", "images/preprocess.py", "importers", "network", "ops",
              "quantization")
PREPROCESS = {SQUEEZENET: "torchvision", "mobilenet_v1_0.25_224_float": "tf"}  # of float sources


@dataclass(frozen=True, slots=True)
class Network:
    """A quantized .tflite, the float file it was made from (None: published quantized), its
    preprocessing, and whether it takes color photos."""

    name: str
    file: Path
    source: Path | None
    preprocess: str | None
    photos: bool


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser with the option that every script has."""
    made = argparse.ArgumentParser(description=about,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, metavar="DIR", help="folder with models/ and images/ "
                      "(default: EDGEFM_DATA, else ../shared/data beside the project)")
    return made


def data_folder(given: Path | None) -> Path:
    """The folder of real models; ends the program with status 2 where there is none."""
    named = os.environ.get("EDGEFM_DATA")
    folder = given or (Path(named) if named else ROOT.parent / "shared" / "data")
    if not (folder / "models").is_dir():
        print(f"{sys.argv[0]}: no real models in {folder}; set EDGEFM_DATA or --data",
              file=sys.stderr)
        raise SystemExit(2)
    return folder


def adversaries(shape: Sequence[int], dtype: str) -> list[Array]:
    """Pictures of 8 bits that are as bad as can be for codecs and caps: noise and extremes."""
    noise = np.random.default_rng(1).integers(0, 256, shape)
    checks = np.indices(shape).sum(0) % 2 * 255
    late = np.where(np.indices(shape)[1] % 48 < 24, noise, 128)
    return [p.astype(np.uint8).view(dtype) for p in (noise, np.where(noise < 128, 0, 255), checks,
                                                     late)]


def networks(data: Path, wanted: Sequence[str] = ()) -> list[Network]:
    """Every network that TFLite can judge, published quantized ones first; names filter by part."""
    published = sorted((data / "models").glob("*.tflite"))
    sources = [data / "models" / f"{SQUEEZENET}.onnx"]
    sources += [p for p in published if p.stem in PREPROCESS]
    found = [_published(p) for p in published if p.stem not in PREPROCESS]
    names = [(p.stem, p) for p in sources if p.is_file()]
    keep = [n for n in found if _matches(n.name, wanted)]
    return keep + [_ours(data, p) for stem, p in names if _matches(stem, wanted)]


def _matches(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(part in name for part in wanted)


def _published(path: Path) -> Network:
    graph = importers.load(path)
    shape = graph.tensors[graph.inputs[0]].shape
    return Network(path.stem, path, None, None, is_picture(shape))


def _ours(data: Path, source: Path) -> Network:
    return quantized(source, data / "images" / "imagenet_sample")


def quantized(source: Path, calib: Path, mark: str = "") -> Network:
    """A float network quantized with the files of a folder; `mark` tells folders apart."""
    preprocess = PREPROCESS[source.stem]
    name = f"{source.stem}_int8{mark}"
    options = CompileOptions(calib=calib, preprocess=preprocess)
    path = CACHE / f"{name}_{_key(source)}.tflite"
    if not path.is_file():
        say(f"quantizing {source.name}{mark}")
        make_folder(CACHE)
        write_file(path, export_tflite(load_model(source, options).graph))
    return Network(name, path, source, preprocess, True)


def _key(source: Path) -> str:
    digest = hashlib.sha256(source.read_bytes())
    for name in QUANTIZERS:
        path = ROOT / "edgefm" / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def options_for(network: Network, data: Path, **fields: object) -> CompileOptions:
    """Compile options of a network: its preprocessing, and photos to learn codec tables from."""
    made = CompileOptions(calib=data / "images" / "imagenet_sample" if network.photos else None,
                          preprocess=network.preprocess)
    return replace(made, **fields)  # type: ignore[arg-type]


def bottleneck_names(graph: Graph) -> list[str]:
    """SqueezeNet's squeezed maps, MobileNetV2's blocks."""
    return [graph.tensors[t].name for stage in bottlenecks(graph)
            for t in maps_read(graph, stage)]


def labels_of(data: Path, count: int, classes: int) -> Array:
    """The classes of the validation photos that `calibration_inputs` takes, in its order."""
    folder = data / "images" / "imagenet_val"
    lines = (folder / "labels.csv").read_text().split()
    known = dict(line.split(",")[:2] for line in lines if line.split(",")[1].isdigit())
    names = sorted(p.name for p in folder.iterdir() if p.name in known)
    step = max(1, len(names) // count)
    background = classes - 1000
    return np.array([int(known[name]) + background for name in names[::step][:count]])


def say(text: str) -> None:
    """A line of progress, out of the way of the tables."""
    print(text, file=sys.stderr, flush=True)


def print_command() -> None:
    """The command that prints what follows, as it was typed, with --data left out."""
    prepare()
    words = [f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    if "--data" in words:
        at = words.index("--data")
        words[at:at + 2] = []
    print(f"\n    python {shlex.join(words)}\n")


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A Markdown table, line by line as rows come; numbers to the right (the first row tells)."""
    for number, row in enumerate(rows):
        if number == 0:
            numeric = [isinstance(value, (int, float)) for value in row]
            print("| " + " | ".join(header) + " |")
            print("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
        print("| " + " | ".join(map(_cell, row)) + " |", flush=True)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)
