# SPDX-License-Identifier: Apache-2.0
"""Modeled cycles of the kernels' inner loops: `python benchmarks/modeled.py [--only dsp]`.

Compiles each kernel set, finds its loops in which a fifth of the instructions multiply (a loop is
what lies between a branch back and its target, with no other loop inside), and asks LLVM's machine
code analyzer how many cycles one round takes on several processors. That is a model of the
processor, not a measurement: caches, branches and wait states of memory are not in it, and it takes
an LDM for one cycle. Processors that the analyzer does not know, and kernel sets without a compiler
here, are named and skipped.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from _common import ROOT, print_command, print_table, say

ROUNDS = 100
VERSIONS = ("-19", "")  # of LLVM's programs
LEAST_SHARE = 0.2  # of a loop's instructions that multiply
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+([^;@<#]+(?:#[^;@<]*)?)")
_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:")
_BRANCH = re.compile(r"^(?:b(?:\.?[a-z]{2})?(?:\.[nw])?|cbn?z|tbn?z|j[a-z]+|le|letp)"
                     r"\s.*?\b0x([0-9a-f]+)$")


@dataclass(frozen=True, slots=True)
class KernelSet:
    """How the files of a kernel set are compiled, and for which processors they are modeled;
    `multiply` matches the instructions that make its products, `features` are LLVM's names of what
    the triple does not say."""

    prefix: str
    triple: str
    flags: tuple[str, ...]
    files: tuple[str, ...]
    multiply: str
    processors: Mapping[str, str]  # name for the table: the analyzer's -mcpu
    features: str = ""


def _same(*names: str) -> Mapping[str, str]:
    return MappingProxyType({name: name for name in names})


CORTEX_M = ("-mthumb", "-O2", "-mfloat-abi=hard")
SETS: Mapping[str, KernelSet] = MappingProxyType({
    "dsp": KernelSet("arm-none-eabi-", "thumbv7em-none-eabi",
                     ("-mcpu=cortex-m4", *CORTEX_M, "-mfpu=fpv4-sp-d16"),
                     ("kernels/dsp/*.c", "kernels/elements/dsp.c"), r"smla|smul|smlad|mla\b",
                     _same("cortex-m4", "cortex-m7", "cortex-m33")),
    "mve": KernelSet("arm-none-eabi-", "thumbv8.1m.main-none-eabi",
                     ("-mcpu=cortex-m55", *CORTEX_M), ("kernels/mve/*.c",),
                     r"vmla|vmul|vqrdmul", _same("cortex-m55", "cortex-m85"), "+mve"),
    "neon": KernelSet("aarch64-linux-gnu-", "aarch64-linux-gnu", ("-O2",), ("kernels/neon/*.c",),
                      r"[su]dot|sml[as]l|smull|mla\b",
                      _same("cortex-a53", "cortex-a72", "cortex-a76"), "+dotprod"),
    "x86": KernelSet("", "x86_64-linux-gnu", ("-O2",), ("kernels/x86/*.c",),
                     r"vpdpbusd|vpmadd", MappingProxyType(
                         {"Skylake": "skylake", "Alder Lake": "alderlake",
                          "Ice Lake server": "icelake-server", "Zen 4": "znver4"}))})


@dataclass(frozen=True, slots=True)
class Loop:
    """The instructions of one round, without the branch back."""

    file: str
    function: str
    code: tuple[str, ...]
    multiplications: int


def loops(tools: Mapping[str, str], kernels: KernelSet, folder: Path) -> Iterator[Loop]:
    """The loops of a kernel set that multiply much."""
    source = ROOT / "native/src"
    for path in sorted(path for pattern in kernels.files for path in source.glob(pattern)):
        target = folder / f"{path.stem}.o"
        subprocess.run([f"{kernels.prefix}gcc", "-std=c11", *kernels.flags, f"-I{source}",
                        f"-I{ROOT / 'native/include'}", "-c", str(path), "-o", str(target)],
                       check=True)
        text = subprocess.run([tools["objdump"], "-d", "--no-show-raw-insn", "--no-print-imm-hex",
                               f"--mattr={kernels.features}", str(target)], check=True,
                              capture_output=True, text=True).stdout
        for function, code in dict.fromkeys(inner_loops(text)):
            multiplications = sum(re.match(kernels.multiply, one) is not None for one in code)
            if multiplications > LEAST_SHARE * len(code):
                yield Loop(path.name, function, code, multiplications)


def inner_loops(disassembly: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Function and instructions of every loop that has none inside."""
    function, code = "", dict[int, str]()
    for line in [*disassembly.splitlines(), "0 <end>:"]:
        if begins := _FUNCTION.match(line):
            yield from ((function, one) for one in _loops_of(code))
            function, code = begins[1], {}
        elif instruction := _INSTRUCTION.match(line):
            code[int(instruction[1], 16)] = instruction[2].replace("\t", " ").strip()


def _loops_of(code: Mapping[int, str]) -> Iterator[tuple[str, ...]]:
    ranges = [(int(to[1], 16), at) for at, text in code.items()
              if (to := _BRANCH.match(text)) and int(to[1], 16) <= at]
    for first, last in ranges:
        if not any(first <= a and b < last for a, b in ranges if (a, b) != (first, last)):
            yield tuple(text for at, text in code.items() if first <= at < last)


def cycles(analyzer: str, kernels: KernelSet, processor: str, loop: Loop) -> float | None:
    """Modeled cycles of one round; None where the analyzer does not know what is in it."""
    lines = [line for line in loop.code if not _BRANCH.match(line)]
    done = subprocess.run([analyzer, f"-mtriple={kernels.triple}", f"-mcpu={processor}",
                           f"-mattr={kernels.features}", f"-iterations={ROUNDS}"],
                          input="\n".join(lines) + "\n", text=True, capture_output=True,
                          check=False)
    total = re.search(r"Total Cycles:\s*(\d+)", done.stdout)
    return int(total[1]) / ROUNDS if done.returncode == 0 and total else None


def _rows(tools: Mapping[str, str], kernels: KernelSet, folder: Path) -> Iterator[list[object]]:
    for loop in loops(tools, kernels, folder):
        modeled = [cycles(tools["mca"], kernels, cpu, loop) for cpu in kernels.processors.values()]
        yield [loop.file, f"`{loop.function}`", len(loop.code) + 1, loop.multiplications,
               *("-" if one is None else f"{one:.1f}" for one in modeled)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 where there is no analyzer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=SETS)
    options = parser.parse_args(arguments)
    tools = {name: path for name in ("mca", "objdump") if (path := next(
        filter(None, (shutil.which(f"llvm-{name}{version}") for version in VERSIONS)), None))}
    if len(tools) < 2:
        print("llvm-mca and llvm-objdump are not both installed; type: apt-get install llvm-19",
              file=sys.stderr)
        return 2
    print_command()
    for name, kernels in SETS.items():
        if options.only not in (None, name):
            continue
        if shutil.which(f"{kernels.prefix}gcc") is None:
            say(f"{name}: skipped, {kernels.prefix}gcc is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            print_table([f"{name}: loop of", "function", "instructions", "of it multiply",
                         *(f"{one}, modeled cycles" for one in kernels.processors)],
                        list(_rows(tools, kernels, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
