# SPDX-License-Identifier: Apache-2.0
"""Builds the fuzzers with clang's libFuzzer and runs them: `python tests/fuzz/run.py`.

Each begins with tests/fuzz/corpus/<name>, the golden packages, and what earlier runs on this
machine found (build/fuzz/corpus). A crash, a hang or a leak fails the run, and its input is kept
under build/fuzz/found. `--decoders` runs one fuzzer per codec instead. `--keep` reduces all inputs
to the few that reach as much, and writes those back to tests/fuzz/corpus.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests" / "fuzz"
BUILD = ROOT / "build" / "fuzz"
FLAGS = ("-std=c11", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all",
         "-fsanitize=fuzzer,address,undefined", "-Wall", "-Wextra", "-Werror")
MODEL_SEEDS = ("tests/golden/good", "tests/golden/bad")
LONGEST = 8192      # bytes of an input
HANG = 10           # seconds that one input may take
MOST_KEPT = 100     # inputs of a corpus in the tree


class FuzzError(Exception):
    """What was found, or why a fuzzer does not build; the last line says it in short."""


class NoFuzzer(Exception):
    """There is no clang with libFuzzer on this machine; says what to install."""


@dataclass(frozen=True, slots=True)
class Target:
    """A fuzzer: its C file, what is compiled along (below the root), where its inputs are.

    `corpus` names the folder of inputs that it keeps, `seeds` are others that it begins with.
    """

    name: str
    source: Path
    along: tuple[str, ...]
    corpus: str
    seeds: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


MODEL, CODEC = HERE / "fuzz_model.c", HERE / "fuzz_codec.c"
NATIVE, COMMON = "native/src", "firmware/common"
WHOLE = (f"{NATIVE}/**/*.c",)
FIRMWARE = (*WHOLE, *(f"{COMMON}/{path}" for path in ("[!m]*.c", "mlperf.c")))  # not main.c
CODING = (f"{NATIVE}/bits.c", f"{NATIVE}/codecs/**/*.c")
STORE = (*(f"{COMMON}/{name}.c" for name in ("store", "store_write", "store_flash", "extents")),
         f"{NATIVE}/crc32.c")
TARGETS = (
    Target("model", MODEL, WHOLE, "model", MODEL_SEEDS),
    Target("portable", MODEL, WHOLE, "model", MODEL_SEEDS, ("-DEFM_KERNEL_X86=0",)),
    Target("codec", CODEC, CODING, "codec"),
    Target("store", HERE / "fuzz_store.c", STORE, "store"),
    Target("agent", HERE / "fuzz_agent.c", FIRMWARE, "agent"),
    Target("link", HERE / "fuzz_link.c", FIRMWARE, "link"),
)
CODECS = ("rle", "zvc", "ebpc", "context", "rice", "tans", "dctcm", "gf2", "temporal", "mix")
DECODERS = tuple(
    Target(name, CODEC, CODING, f"decoders/{name}", ("tests/fuzz/corpus/codec",),
           (f"-DFUZZ_ONLY=EFM_CODEC_{name.upper()}",)) for name in CODECS)


@dataclass(frozen=True, slots=True)
class Result:
    """How far a run came: inputs executed, edges and features of the code that they reached."""

    name: str
    executions: int
    coverage: int
    features: int

    def __str__(self) -> str:
        return (f"{self.name}: {self.executions} executions, {self.coverage} edges, "
                f"{self.features} features, nothing found")


def build(target: Target) -> Path:
    """Compile a fuzzer. Raises NoFuzzer where none builds, FuzzError when this one does not."""
    clang = _clang()
    BUILD.mkdir(parents=True, exist_ok=True)
    along = sorted(str(path) for pattern in target.along for path in ROOT.glob(pattern))
    folders = [f"-I{ROOT / name}" for name in
               (NATIVE, "native/include", "native/ports/pc", COMMON, "tests/support")]
    binary = BUILD / f"fuzz_{target.name}"
    done = subprocess.run(
        [clang, *FLAGS, *target.flags, "-DEFM_WITH_TAP=1", "-DEFM_WITH_WORKERS=1",
         "-DEFM_LEAST_WORK=1", *folders, str(target.source), *along,
         "-o", str(binary)],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FuzzError(f"{done.stderr.strip()}\n{target.source.name}: does not build")
    return binary


def _clang() -> str:
    """A clang whose libFuzzer and sanitizers are there."""
    clang = shutil.which("clang")
    if clang is None:
        raise NoFuzzer("clang is not installed; type: apt-get install clang")
    empty = "int LLVMFuzzerTestOneInput(void) { return 0; }"
    done = subprocess.run([clang, *FLAGS, "-x", "c", "-", "-o", "/dev/null"], input=empty,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoFuzzer(f"{clang} has no libFuzzer; type: apt-get install libclang-rt-dev")
    return clang


def _folders(target: Target) -> list[str]:
    """Where inputs are taken from, and first of all where new ones go."""
    found = BUILD / "corpus" / target.corpus
    found.mkdir(parents=True, exist_ok=True)
    others = [HERE / "corpus" / target.corpus, *(ROOT / seed for seed in target.seeds)]
    return [str(folder) for folder in (found, *others) if folder.is_dir()]


def fuzz(target: Target, seconds: int) -> Result:
    """Run a fuzzer for that long. Raises FuzzError, naming the input, when something was found."""
    binary = build(target)
    kept = BUILD / "found" / target.name
    kept.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(binary), f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={HANG}",
         "-rss_limit_mb=2048", "-print_final_stats=1", "-len_control=0",
         f"-artifact_prefix={kept}/", *_folders(target)],
        cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise FuzzError(_finding(target, done.stderr))
    return _result(target, done.stderr)


def _finding(target: Target, log: str) -> str:
    """What happened and with which input, and the fuzzer's own words."""
    at = re.search(r"Test unit written to (\S+)", log)
    what = re.search(r"SUMMARY: (.+)", log)
    line = (f"{target.name}: {what[1] if what else 'stopped'}; "
            f"input: {at[1] if at else 'none written'}")
    return f"{log[-6000:]}\n{line}"


def _result(target: Target, log: str) -> Result:
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", log)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", log)
    if executed is None or not reached:
        raise FuzzError(f"{log[-2000:]}\n{target.name}: ran, but did not say how far")
    return Result(target.name, int(executed[1]), int(reached[-1][0]), int(reached[-1][1]))


def keep(target: Target) -> int:
    """Reduce all inputs to the few that reach more than the seeds; returns how many there are."""
    binary, folder = build(target), HERE / "corpus" / target.corpus
    fresh = BUILD / "merged" / target.corpus
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for seed in (path for name in target.seeds for path in (ROOT / name).iterdir()):
        shutil.copyfile(seed, fresh / seed.name)
    before = {path.name for path in fresh.iterdir()}
    subprocess.run([str(binary), "-set_cover_merge=1", "-use_counters=0", f"-max_len={LONGEST}",
                    str(fresh), *_folders(target)], cwd=ROOT, capture_output=True, check=True)
    added = sorted((path for path in fresh.iterdir() if path.name not in before),
                   key=lambda path: path.stat().st_size)[:MOST_KEPT]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in added:
        shutil.copyfile(path, folder / path.name)
    return len(added)


def _chosen(options: argparse.Namespace) -> list[Target]:
    """The fuzzers that were asked for."""
    if options.decoders is not None:
        return [one for one in DECODERS if one.name in (options.decoders or CODECS)]
    return [one for one in TARGETS if options.only in (None, one.name)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 when something was found, 2 when there is no libFuzzer."""
    parser = argparse.ArgumentParser(description="Fuzz the runtime.")
    parser.add_argument("--seconds", type=int, default=600, help="per fuzzer (default 600)")
    parser.add_argument("--only", choices=[target.name for target in TARGETS])
    parser.add_argument("--decoders", nargs="*", choices=CODECS, metavar="CODEC",
                        help="instead, for each of these codecs (default: all) one of its own")
    parser.add_argument("--keep", action="store_true", help="reduce and write back the corpora")
    options = parser.parse_args(arguments)
    failed = 0
    for target in _chosen(options):
        try:
            print(fuzz(target, options.seconds), flush=True)
            if options.keep:
                print(f"{target.name}: {keep(target)} inputs kept", flush=True)
        except NoFuzzer as error:
            print(error, file=sys.stderr)
            return 2
        except FuzzError as error:
            print(error, file=sys.stderr, flush=True)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
