# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per inference of MobileNetV2 1.0 224 on one core: ours and TFLite's, interleaved.

Every engine is a process of one thread that waits for its turn; a round gives each of them one turn
of at least --seconds, the figures are medians over the rounds. `best kernel` is the runtime as it
is installed (AVX2 where the processor has it); `portable C` is built with EFM_KERNEL_X86=0, for any
processor of the family and, on x86-64, for those with AVX2 (the compiler vectorizes both). Plans
have all the memory they want, or 96 KiB. `validation` reads and preprocesses a photo for every
inference, as `edgefm validate` does.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from _common import (
    MOBILENET_V2,
    ROOT,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.calibration import calibration_files
from edgefm.compiler.pipeline import compile_model
from edgefm.images.preprocess import load_image
from edgefm.package.read import read_info
from edgefm.runtime import Runtime

PORTABLE = {"portable C": "-DEFM_KERNEL_X86=0"}
PORTABLE_X86 = {"portable C for AVX2": "-DEFM_KERNEL_X86=0 -march=x86-64-v3"}
BUDGETS = {"unlimited": None, "96 KiB": 96 << 10}
LITERT = {"TFLite, XNNPACK": "BUILTIN", "TFLite, optimized kernels":
          "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "TFLite, reference kernels": "BUILTIN_REF"}
Turn = Callable[[], None]


@dataclass(slots=True)
class Engine:
    """A process that answers every line with the seconds of one inference."""

    name: str
    process: subprocess.Popen[str]
    times: list[float]


def main() -> None:
    """Start the engines, take turns, print."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=15, metavar="N")
    arguments.add_argument("--seconds", type=float, default=0.3, metavar="S")
    arguments.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    data = data_folder(options.data)
    if options.worker:
        kind, path, how = options.worker
        _work(kind, path, how, data, options.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        builds = PORTABLE | (PORTABLE_X86 if platform.machine() == "x86_64" else {})
        libraries = {name: str(_build(Path(folder) / str(i), flags))
                     for i, (name, flags) in enumerate(builds.items())} | {"best kernel": "-"}
        network = networks(data, [MOBILENET_V2])[0]
        packages: dict[str, Path] = {}
        for budget, fast in BUDGETS.items():
            packages[budget] = Path(folder) / f"{len(packages)}.efm"
            packages[budget].write_bytes(compile_model(
                network.file, options_for(network, data, fast=fast)).package)
        engines = _engines(packages, libraries, network.file, data, options.seconds)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            for engine in engines:
                engine.times.append(_turn(engine))
        for engine in engines:
            assert engine.process.stdin is not None
            engine.process.stdin.close()
            engine.process.wait()
    print_command()
    _print(engines)


def _engines(packages: dict[str, Path], libraries: dict[str, str], model: Path, data: Path,
             seconds: float) -> list[Engine]:
    wanted = [(f"edgefm, {kernel}, {budget}", ("run", str(path), library))
              for kernel, library in libraries.items() for budget, path in packages.items()]
    wanted += [(f"edgefm, {kernel}, validation", ("validate", str(packages["unlimited"]), library))
               for kernel, library in libraries.items()]
    wanted += [(name, ("litert", str(model), resolver)) for name, resolver in LITERT.items()]
    return [Engine(name, _start(how, data, seconds), []) for name, how in wanted]


def _start(how: tuple[str, str, str], data: Path, seconds: float) -> subprocess.Popen[str]:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    common = ("--data", str(data), "--seconds", str(seconds))
    return subprocess.Popen(
        [sys.executable, __file__, *common, "--worker", *how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, **limits})


def _turn(engine: Engine) -> float:
    """Milliseconds per inference of one turn."""
    assert engine.process.stdin is not None and engine.process.stdout is not None
    engine.process.stdin.write("go\n")
    engine.process.stdin.flush()
    answer = engine.process.stdout.readline()
    if not answer:
        raise SystemExit(f"{engine.name}: the process died")
    return float(answer)


def _work(kind: str, path: str, how: str, data: Path, seconds: float) -> None:
    """One engine: make ready, then one turn per line."""
    make = {"run": _runtime, "validate": _validation, "litert": _litert}[kind]
    turn = make(Path(path), how, data)
    for _ in range(3):
        turn()
    for _ in sys.stdin:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            turn()
            count += 1
        print(1e3 * (time.perf_counter() - start) / count, flush=True)


def _photos(data: Path) -> list[Path]:
    return calibration_files(data / "images" / "imagenet_val", "speed")[:50]


def _open(path: Path, library: str) -> Runtime:
    """The runtime of another build of the extension; "-" is the installed one."""
    if library != "-":
        spec = importlib.util.spec_from_file_location("edgefm.runtime._native", library)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["edgefm.runtime._native"] = module
    return Runtime(path.read_bytes())


def _runtime(path: Path, library: str, data: Path) -> Turn:
    runtime = _open(path, library)
    picture = load_image(_photos(data)[0], read_info(path.read_bytes()).preprocess,
                         runtime.inputs[0])

    def turn() -> None:
        runtime.run([picture])

    return turn


def _validation(path: Path, library: str, data: Path) -> Turn:
    runtime = _open(path, library)
    preprocess, photos = read_info(path.read_bytes()).preprocess, _photos(data)

    def turn() -> None:
        photos.append(photos.pop(0))
        runtime.run([load_image(photos[0], preprocess, runtime.inputs[0])])

    return turn


def _litert(path: Path, resolver: str, data: Path) -> Turn:
    litert = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_path=str(path), num_threads=1,
        experimental_op_resolver_type=getattr(litert.OpResolverType, resolver))
    interpreter.allocate_tensors()
    info = interpreter.get_input_details()[0]
    picture = np.random.default_rng(0).integers(0, 256, info["shape"], info["dtype"])

    def turn() -> None:
        interpreter.set_tensor(info["index"], picture)
        interpreter.invoke()

    return turn


def _build(folder: Path, flags: str) -> Path:
    """The extension built with more flags; the installed one is not touched."""
    say(f"building with {flags}")
    flags = f"{os.environ.get('CFLAGS', '')} {flags}".strip()
    subprocess.run([sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib",
                    str(folder / "lib"), "--build-temp", str(folder / "objects")], cwd=ROOT,
                   env={**os.environ, "CFLAGS": flags}, check=True, stdout=sys.stderr)
    return next((folder / "lib").rglob("_native*"))


def _print(engines: list[Engine]) -> None:
    best = {engine.name: median(engine.times) for engine in engines}
    rows: list[tuple[object, ...]] = []
    for engine in engines:
        ours = best[engine.name]
        rows.append((engine.name, ours, min(engine.times), max(engine.times), 1e3 / ours,
                     *(f"{best[name] / ours:.2f}" for name in LITERT)))
    print_table(("engine, one thread", "median ms", "least", "most", "inferences/s",
                 *(f"times as fast as {name.partition(', ')[2]}" for name in LITERT)), rows)


if __name__ == "__main__":
    main()
