# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per inference of MobileNetV2 1.0 224 on one core: ours and TFLite's, interleaved.

Every engine is a process of one thread that waits for its turn; a round gives each of them one turn
of at least --seconds. Times are of the thread's processor: the least and the median over all
inferences. On x86-64 there is a row for each kernel that the processor has, with XNNPACK on the
same instruction set beside it; kernels that it lacks are named and skipped. `portable C` is built
without kernels, for any processor of the family and, on x86-64, for those with AVX2 (the compiler
vectorizes both). Plans have all the memory they want, or 64 KiB. `validation` reads and
preprocesses a photo for every inference, as `edgefm validate` does. Threads of one inference have
a table of their own, of wall time: it means something where the cores are idle.
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import _older_cpu
import _threads
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
from edgefm.network.graph import Array
from edgefm.package.read import read_info
from edgefm.runtime import Runtime

PORTABLE = {"portable C": "-DEFM_KERNEL_X86=0"}
PORTABLE_X86 = {"portable C for AVX2": "-DEFM_KERNEL_X86=0 -march=x86-64-v3"}
AVX2, AVX_VNNI, AVX512 = "AVX2", "AVX-VNNI", "AVX-512 VNNI"
KERNELS_X86 = {AVX2: ("avx2", "-DEFM_KERNEL_AVX512=0 -DEFM_KERNEL_AVXVNNI=0"),
               AVX_VNNI: ("avx_vnni", "-DEFM_KERNEL_AVX512=0 -DEFM_KERNEL_AVXVNNI=1"),
               AVX512: ("avx512_vnni", "-DEFM_KERNEL_AVX512=1")}  # flag of Linux, switches
BUDGETS = {"unlimited": None, "64 KiB": 64 << 10}
XNNPACK = "TFLite, XNNPACK"
LITERT = {XNNPACK: "BUILTIN", "TFLite, optimized kernels":
          "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "TFLite, reference kernels": "BUILTIN_REF"}
Turn = Callable[[], None]


@dataclass(slots=True)
class Engine:
    """A process that answers every line with milliseconds of one turn: the least, the median.

    `peer` names the engine that its time is divided by.
    """

    name: str
    peer: str
    process: subprocess.Popen[str]
    least: list[float]
    medians: list[float]


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
        libraries = {name: str(_build(Path(folder) / str(i), flags))
                     for i, (name, flags) in enumerate(_builds().items())}
        network = networks(data, [MOBILENET_V2])[0]
        packages: dict[str, Path] = {}
        for budget, fast in BUDGETS.items():
            packages[budget] = Path(folder) / f"{len(packages)}.efm"
            packages[budget].write_bytes(compile_model(
                network.file, options_for(network, data, fast=fast)).package)
        engines = [*_ours(packages, libraries, data, options.seconds),
                   *_peers(network.file, Path(folder), data, options.seconds)]
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            for engine in engines:
                least, median_ = _turn(engine)
                engine.least.append(least)
                engine.medians.append(median_)
        for engine in engines:
            assert engine.process.stdin is not None
            engine.process.stdin.close()
            engine.process.wait()
        threads = _threads.rows(packages["unlimited"].read_bytes(),
                                [_picture(packages["unlimited"], data)], 20 * options.rounds)
    print_command()
    _print(engines)
    print_table(_threads.HEADER, threads)


def _processor_flags() -> list[str]:
    """What Linux says this processor has."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split() for line in lines if line.startswith("flags")), [])


def _kernels() -> list[str]:
    """The x86-64 kernels that this processor runs; others are named and left out."""
    if platform.machine() != "x86_64":
        return []
    flags = _processor_flags()
    for name, (flag, _) in KERNELS_X86.items():
        if flag not in flags:
            say(f"{name}: this processor lacks it")
    return [name for name, (flag, _) in KERNELS_X86.items() if flag in flags]


def _builds() -> dict[str, str]:
    kernels = {name: KERNELS_X86[name][1] for name in _kernels()}
    if platform.machine() == "x86_64":
        return PORTABLE | PORTABLE_X86 | kernels
    return PORTABLE | {"best kernel": ""}


def _ours(packages: dict[str, Path], libraries: dict[str, str], data: Path,
          seconds: float) -> list[Engine]:
    made = []
    for kernel, library in libraries.items():
        peer = _peer(kernel) if kernel in KERNELS_X86 else XNNPACK
        made += [_engine(f"edgefm, {kernel}, {budget}", peer, ("run", str(path), library), data,
                         seconds) for budget, path in packages.items()]
        made.append(_engine(f"edgefm, {kernel}, validation", peer,
                            ("validate", str(packages["unlimited"]), library), data, seconds))
    return made


def _peer(kernel: str) -> str:
    """XNNPACK on the instruction set of one of our kernels."""
    return f"{XNNPACK}, {kernel}"


def _peers(model: Path, folder: Path, data: Path, seconds: float) -> list[Engine]:
    made = [_engine(name, XNNPACK, ("litert", str(model), resolver), data, seconds)
            for name, resolver in LITERT.items()]
    for kernel in _kernels():
        variables = {} if kernel == AVX512 else _older_cpu.environment(
            folder, keeps_avxvnni=kernel == AVX_VNNI)
        made.append(_engine(_peer(kernel), XNNPACK, ("litert", str(model), "BUILTIN"), data,
                            seconds, variables))
    return made


def _engine(name: str, peer: str, how: tuple[str, str, str], data: Path, seconds: float,
            variables: Mapping[str, str] | None = None) -> Engine:
    return Engine(name, peer, _start(how, data, seconds, variables or {}), [], [])


def _start(how: tuple[str, str, str], data: Path, seconds: float,
           variables: Mapping[str, str]) -> subprocess.Popen[str]:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    common = ("--data", str(data), "--seconds", str(seconds))
    return subprocess.Popen(
        [sys.executable, __file__, *common, "--worker", *how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, **limits, **variables})


def _turn(engine: Engine) -> tuple[float, float]:
    """Milliseconds per inference of one turn: the least and the median."""
    assert engine.process.stdin is not None and engine.process.stdout is not None
    engine.process.stdin.write("go\n")
    engine.process.stdin.flush()
    answer = engine.process.stdout.readline().split()
    if len(answer) != 2:
        raise SystemExit(f"{engine.name}: the process died")
    return float(answer[0]), float(answer[1])


def _work(kind: str, path: str, how: str, data: Path, seconds: float) -> None:
    """One engine: make ready, then one turn per line."""
    make = {"run": _runtime, "validate": _validation, "litert": _litert}[kind]
    turn = make(Path(path), how, data)
    for _ in range(3):
        turn()
    for _ in sys.stdin:
        times, start = [], time.perf_counter()
        while time.perf_counter() - start < seconds:
            begin = time.thread_time()
            turn()
            times.append(1e3 * (time.thread_time() - begin))
        print(min(times), median(times), flush=True)


def _photos(data: Path) -> list[Path]:
    return calibration_files(data / "images" / "imagenet_val", "speed")[:50]


def _picture(path: Path, data: Path) -> Array:
    """A photo as the input of a package."""
    info = read_info(path.read_bytes())
    return load_image(_photos(data)[0], info.preprocess, info.inputs[0])


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
    picture = _picture(path, data)

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
    least = {engine.name: min(engine.least) for engine in engines}
    rows: list[tuple[object, ...]] = []
    for engine in engines:
        ours = least[engine.name]
        rows.append((engine.name, ours, median(engine.medians), 1e3 / ours, engine.peer,
                     f"{ours / least[engine.peer]:.2f}"))
    print_table(("engine, one thread", "least ms", "median ms", "inferences/s", "peer",
                 "least / peer's"), rows)


if __name__ == "__main__":
    main()
