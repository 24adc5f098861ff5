# SPDX-License-Identifier: Apache-2.0
"""Reads files in a process of little memory: one line in (`KIND PATH`), one line out.

The line out is `ok`, `refused MESSAGE` for an error of the project's own, or `WHAT TRACEBACK` for
whatever should not happen. The most bytes by which the process has grown follow.
"""

from __future__ import annotations

import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edgefm import importers
from edgefm.codecs.tables_file import read_tables
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import EdgefmError
from edgefm.images.annotations import read_boxes, read_mask
from edgefm.images.clips import frames
from edgefm.images.labels import read_labels, read_names
from edgefm.images.picture import load_picture
from edgefm.images.preprocess import InputInfo, load_image, parse_preprocess
from edgefm.importers.npz import load_npz
from edgefm.planner import load_target
from edgefm.rate_distortion.points_per_nat import read_per_nat
from edgefm.runtime.runtime import Runtime

MOST_GROWTH = 1 << 29    # bytes of memory beyond what the modules take
NEW_LINE = "\u2424"      # what stands for one in an answer
SECONDS = 10             # of the process's time, for one file
INPUT = InputInfo((1, 8, 8, 3), "uint8", 1.0, 0)
RAW = parse_preprocess("raw", "crop")


class Late(BaseException):
    """A file took too long."""


def _package(path: Path) -> None:
    with Runtime(path.read_bytes(), path.name) as runtime:
        runtime.run([np.zeros(one.shape, one.dtype) for one in runtime.inputs], taps=True)


def _network(path: Path) -> None:
    compile_model(path, CompileOptions())


READERS: Mapping[str, Callable[[Path], object]] = {
    "boxes": lambda path: read_boxes(path, path.parent, ("cat", "dog")),
    "clip": lambda path: sum(1 for _ in frames(path, RAW, INPUT)),
    "efm": _package,
    "labels": lambda path: read_labels(path, path.parent),
    "mask": read_mask,
    "names": read_names,
    "network": _network,
    "npy": lambda path: load_image(path, RAW, INPUT),
    "npz": load_npz,
    "onnx": importers.load,
    "picture": load_picture,
    "sweep": read_per_nat,
    "tables": read_tables,
    "target": lambda path: load_target(str(path)),
    "tflite": importers.load,
}


def told(kind: str, path: Path) -> str:
    """What reading a file came to."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        READERS[kind](path)
    except EdgefmError as error:
        return f"refused {error!s}"
    except BaseException as error:
        return f"{type(error).__name__} {traceback.format_exc()!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "ok"


def _late(*_: object) -> None:
    raise Late


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    """Answer lines until there are no more."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _late)
    for kind in READERS:
        told(kind, Path("/dev/null"))  # loads what is loaded late
    most = _address_space() + 2 * MOST_GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    base = _peak()
    print("ready", flush=True)
    for line in sys.stdin:
        kind, path = line.rstrip("\n").split(" ", 1)
        answer = told(kind, Path(path))
        print(answer.replace("\n", NEW_LINE), _peak() - base, flush=True)


if __name__ == "__main__":
    main()
