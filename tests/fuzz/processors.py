# SPDX-License-Identifier: Apache-2.0
"""Fuzzes kernels of other processors under emulation: `python tests/fuzz/processors.py`.

No libFuzzer runs there, so that nothing guides the changes: `driver.c` makes the same ones each
time, and pages that may not be touched lie around every piece of memory. Inputs are those of the
fuzzer `model` and small networks in every packing that the kernel reads.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from edgefm.kernels.sets import KERNEL_SETS, suited  # noqa: E402
from edgefm.lower import lower  # noqa: E402
from edgefm.package.write import Description, write_package  # noqa: E402
from edgefm.planner import Target, analyze, make_plan  # noqa: E402
from tests.support.networks import random_network  # noqa: E402

BUILD = ROOT / "build" / "fuzz"
FLAGS = ("-std=c11", "-g", "-O1", "-static", "-Wall", "-Wextra", "-Werror",
         "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-DEFM_WITH_TAP=1",
         "-DEFM_WITH_WORKERS=1", "-DEFM_LEAST_WORK=1",
         *(f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "aligned_alloc", "free")))
NETWORKS = 12


class Finding(Exception):
    """What happened and with which input."""


@dataclass(frozen=True, slots=True)
class Processor:
    """How a kernel set is compiled and emulated; `kernels` names the packings that it reads."""

    name: str
    compiler: str
    emulator: tuple[str, ...]
    kernels: str = "portable"
    flags: tuple[str, ...] = ()


ARM, AARCH64 = "arm-linux-gnueabihf-gcc", "aarch64-linux-gnu-gcc"
PROCESSORS = (
    Processor("dsp", ARM, ("qemu-arm", "-cpu", "cortex-a7"), "dsp", ("-DEFM_KERNEL_NEON=0",)),
    Processor("armv7", ARM, ("qemu-arm", "-cpu", "cortex-a7")),
    Processor("neon", AARCH64, ("qemu-aarch64", "-cpu", "cortex-a53")),
    Processor("dot", AARCH64, ("qemu-aarch64", "-cpu", "cortex-a76")))


def build(processor: Processor, folder: Path) -> Path:
    """The fuzzer as a program of that processor."""
    binary = folder / f"fuzz_{processor.name}"
    folders = ("native/src", "native/include", "native/ports/pc", "tests/support")
    done = subprocess.run(
        [processor.compiler, *FLAGS, *processor.flags, *(f"-I{ROOT / name}" for name in folders),
         *map(str, sorted((ROOT / "native/src").rglob("*.c"))),
         *(str(ROOT / "tests/fuzz" / name) for name in ("fuzz_model.c", "driver.c")),
         "-o", str(binary)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Finding(f"{done.stderr.strip()}\n{processor.name}: does not build")
    return binary


def packed(kernels: str) -> Iterator[bytes]:
    """Small networks in each packing of a kernel set."""
    for packing in KERNEL_SETS[kernels].suits:
        for seed in range(NETWORKS):
            graph = random_network(seed)
            layout = analyze(suited(lower(graph), kernels, packing))
            plan = make_plan(layout, Target(kernels=kernels))
            yield write_package(graph, layout.program, plan, {}, Description("0" * 64))


def fuzz(processor: Processor, seconds: int, folder: Path) -> int:
    """Run the fuzzer for that long; the number of inputs. Raises Finding."""
    binary, found = build(processor, folder), folder / f"found_{processor.name}"
    inputs = [path for name in ("tests/golden/good", "tests/golden/bad", "tests/fuzz/corpus/model")
              for path in sorted((ROOT / name).iterdir()) if path.suffix != ".json"]
    for number, package in enumerate(packed(processor.kernels)):
        inputs.append(folder / f"{processor.name}_{number}.efm")
        inputs[-1].write_bytes(package)
    done = subprocess.run([*processor.emulator, str(binary), str(seconds), str(found),
                           *map(str, inputs)], capture_output=True, text=True, check=False)
    executed = re.fullmatch(r"(\d+) executions\n", done.stdout)
    if done.returncode != 0 or executed is None:
        raise Finding(f"{processor.name}: status {done.returncode}; input: "
                      f"{found if found.exists() else 'none written'} {done.stderr[-500:]}".strip())
    return int(executed[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Fuzz kernels under emulation.")
    parser.add_argument("--seconds", type=int, default=600, help="per processor (default 600)")
    parser.add_argument("--only", choices=[one.name for one in PROCESSORS])
    options = parser.parse_args(arguments)
    failed = 0
    for processor in (one for one in PROCESSORS if options.only in (None, one.name)):
        missing = [name for name in (processor.compiler, processor.emulator[0])
                   if shutil.which(name) is None]
        if missing:
            print(f"{processor.name}: skipped, {' and '.join(missing)} not installed", flush=True)
            continue
        BUILD.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{processor.name}_", dir=BUILD))
        try:
            number = fuzz(processor, options.seconds, folder)
            print(f"{processor.name}: {number} executions, nothing found", flush=True)
            shutil.rmtree(folder)
        except Finding as error:
            print(error, file=sys.stderr, flush=True)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
