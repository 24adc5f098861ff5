# SPDX-License-Identifier: Apache-2.0
"""Which lines of the runtime the kept inputs of a fuzzer reach: `python tests/fuzz/reach.py`.

Runs tests/fuzz/corpus/<name> and the golden packages once, nothing else, and prints for each C file
the share of its lines that were reached, and which were not. `--all` lists files that are reached
completely, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from run import BUILD, HERE, ROOT, TARGETS, NoFuzzer, Target, build

COVERAGE = ("-fprofile-instr-generate", "-fcoverage-mapping", "-DEFM_KERNEL_AVX512=0",
            "-DEFM_KERNEL_AVXVNNI=0", "-fno-sanitize=address,undefined")


def reached(target: Target) -> dict[str, dict[int, int]]:
    """By file, how often each line was executed. Raises NoFuzzer without clang's tools."""
    for tool in ("llvm-profdata", "llvm-cov"):
        if shutil.which(tool) is None:
            raise NoFuzzer(f"{tool} is not installed; type: apt-get install llvm")
    binary = build(replace(target, name=f"{target.name}_reach",
                           flags=(*target.flags, *COVERAGE)))
    inputs = [folder for folder in (HERE / "corpus" / target.corpus,
                                    *(ROOT / seed for seed in target.seeds)) if folder.is_dir()]
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        raw, merged = Path(folder) / "raw", Path(folder) / "merged"
        subprocess.run([str(binary), "-runs=0", *map(str, inputs)], check=True, capture_output=True,
                       env={**os.environ, "LLVM_PROFILE_FILE": str(raw)})
        subprocess.run(["llvm-profdata", "merge", str(raw), "-o", str(merged)], check=True)
        done = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={merged}",
                               str(binary)], check=True, capture_output=True, text=True)
    return dict(_files(done.stdout.splitlines()))


def _files(lcov: Iterable[str]) -> Iterator[tuple[str, dict[int, int]]]:
    """The files of a report, in its own words: SF is a file, DA a line and how often it ran."""
    name, lines = "", dict[int, int]()
    for key, _, value in (line.partition(":") for line in lcov):
        if key == "SF":
            name, lines = os.path.relpath(value, ROOT), {}
        elif key == "DA":
            number, _, count = value.partition(",")
            lines[int(number)] = int(count)
        elif key == "end_of_record":
            yield name, lines


def ranges(numbers: Iterable[int]) -> str:
    """`3-5, 9` for 3, 4, 5, 9."""
    runs = [[n for _, n in run] for _, run in
            groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def main() -> int:
    """The command line; 2 when there is no libFuzzer."""
    parser = argparse.ArgumentParser(description="What the kept inputs of a fuzzer reach.")
    parser.add_argument("--only", choices=[target.name for target in TARGETS], default="model")
    parser.add_argument("--all", action="store_true", help="files that are reached, too")
    options = parser.parse_args()
    (target,) = (one for one in TARGETS if one.name == options.only)
    try:
        files = reached(target)
    except NoFuzzer as error:
        print(error, file=sys.stderr)
        return 2
    for name, lines in sorted(files.items()):
        missed = [number for number, count in lines.items() if count == 0]
        if missed or options.all:
            share = 100 * (1 - len(missed) / len(lines))
            print(f"{name}: {share:.1f} % of {len(lines)} lines"
                  + (f"; not {ranges(missed)}" if missed else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
