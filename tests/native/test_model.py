# SPDX-License-Identifier: Apache-2.0
"""The container check: each rule has its status, and nothing damaged gets past it with harm."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.package.records import HEADER, PackageHeader, Section
from edgefm.runtime.load import native
from tests.golden.edit import Change, chain, header, record, without
from tests.golden.make import made_up
from tests.golden.rules import (
    BROKEN,
    LARGE_RULES,
    OUTPUT_OF_A_PART,
    OUTPUT_RECORD,
    Rule,
    inputs,
)

Program = Callable[[str], Path]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SAMPLED = {"outside": 7, "rings": 101, "mixed": 101, "ends": 29, "detector": 601, "float": 41,
           "operators": 211, "overlapped": 101, "context": 31, "lossless": 101, "ebpc": 31,
           "rle": 31, "zvc": 31, "tiles": 31,
           "tiles_packed": 31, "sliced": 211,  # every 31st change, say
           "ported": 31, "ported_kept": 1001, "ported_tiles": 31}


def good(name: str) -> bytes:
    return (GOLDEN / "good" / f"{name}.efm").read_bytes()


def run(program: Path, step: int, paths: Sequence[Path]) -> list[str]:
    """A line per package; sanitizers end the program with their report."""
    result = subprocess.run([program, str(step), *map(str, paths)], text=True, capture_output=True,
                            check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def stored(folder: Path, packages: dict[str, bytes]) -> list[Path]:
    for name, package in packages.items():
        (folder / name).write_bytes(package)
    return [folder / name for name in packages]


# -- rules -----------------------------------------------------------------------------------------


def test_every_bad_golden_meets_the_status_in_its_name(native_program: Program) -> None:
    paths = sorted((GOLDEN / "bad").glob("*.efm"))
    when = {rule.name: rule.when for rule in BROKEN}
    found = {}
    for path, line in zip(paths, run(native_program("mutate"), 0, paths), strict=True):
        opened, *later = line.split()
        name = path.stem.split("__")[0]
        did = dict(zip(("", "verify", "run"), (opened, *later), strict=False))
        assert when[name] != "run" or did["verify"] == "EFM_OK", name
        assert not when[name] or opened == "EFM_OK", name
        found[f"{name}__{did[when[name]]}"] = path.stem
    assert found.keys() == set(found.values())


def test_bad_goldens_are_one_change_away_from_good_ones() -> None:
    assert {p.name for p in (GOLDEN / "bad").iterdir()} == {
        f"{rule.name}__{rule.status}.efm" for rule in BROKEN}
    for rule in BROKEN:
        kept = (GOLDEN / "bad" / f"{rule.name}__{rule.status}.efm").read_bytes()
        assert rule.make(good(rule.source)) == kept, rule.name


@pytest.mark.parametrize("rule", LARGE_RULES, ids=lambda rule: rule.name)
def test_rules_whose_file_would_be_large(rule: Rule, native_program: Program,
                                         tmp_path: Path) -> None:
    paths = stored(tmp_path, {"large.efm": rule.make(good(rule.source))})
    assert run(native_program("mutate"), 0, paths) == [rule.status]


def test_packages_of_version_1_have_another_version(native_program: Program) -> None:
    paths = sorted((GOLDEN / "version_1").glob("*.efm"))
    assert len(paths) > 2
    assert set(run(native_program("mutate"), 0, paths)) == {"EFM_BAD_VERSION"}


def test_thirty_two_inputs_are_not_too_many(native_program: Program, tmp_path: Path) -> None:
    package = chain(without(Section.META), inputs(32))(good("example"))
    [line] = run(native_program("mutate"), 0, stored(tmp_path, {"a": package}))
    assert line == "EFM_OK EFM_OK EFM_OK"


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["example", "tiles_few"])
def test_every_truncation_and_every_single_byte_change_of_a_small_package_is_safe(
        name: str, native_program: Program, tmp_path: Path) -> None:
    package = without(Section.META)(good(name))
    [line] = run(native_program("mutate"), 1, stored(tmp_path, {"a": package}))
    refused, stopped, ran = map(int, line.split())
    assert refused + stopped + ran > 255 * len(package)
    assert refused > ran > stopped > 0  # all three ends were met


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_changes_of_larger_packages_are_safe(native_program: Program, tmp_path: Path,
                                                     name: str) -> None:
    package = without(Section.META)(good(name))
    [line] = run(native_program("mutate"), SAMPLED[name], stored(tmp_path, {name: package}))
    assert all(int(number) > 0 for number in line.split())


# -- what no golden says ---------------------------------------------------------------------------


def test_opening_needs_room_and_alignment() -> None:
    ffi, lib = native()
    model, package = ffi.new("efm_model *"), ffi.from_buffer(good("example"))
    lent = ffi.new("uint64_t[]", lib.EFM_OPEN_BYTES // 8 + 1)
    arena = ffi.cast("uint8_t *", lent)
    open_with = lib.efm_model_open
    assert open_with(model, package, len(package), arena, lib.EFM_OPEN_BYTES) == 0
    for refused in (open_with(model, package, len(package), arena, lib.EFM_OPEN_BYTES - 1),
                    open_with(model, package, len(package), arena + 4, lib.EFM_OPEN_BYTES)):
        assert ffi.string(lib.efm_status_name(refused)) == b"EFM_BAD_ARGUMENT"


def test_a_part_of_a_concatenation_is_gathered_for_the_caller() -> None:
    whole, part = good("ends"), _with_scratch(OUTPUT_OF_A_PART)(good("ends"))
    ffi, lib = native()
    taken = [made_up((1, 6, 5, 3), "int8").tobytes()] * 2
    outputs = [_run(ffi, lib, package, taken, sizes)
               for package, sizes in ((whole, (60, 150, 120, 90)), (part, (60, 90, 120, 90)))]
    joined = np.frombuffer(outputs[0][1], np.int8).reshape(6, 5, 5)
    np.testing.assert_array_equal(
        np.frombuffer(outputs[1][1], np.int8).reshape(6, 5, 3), joined[:, :, 2:])


def _with_scratch(change: Change) -> Change:
    """15 bytes for the row of output 1, behind everything else in the arena."""

    def grow(package: bytes) -> bytes:
        arena = PackageHeader._make(HEADER.unpack_from(package)).arena_bytes + 7 & ~7
        return chain(record(Section.OPERATORS, OUTPUT_RECORD, 24, "I", arena),
                     record(Section.OPERATORS, OUTPUT_RECORD, 28, "I", 15),
                     header("arena_bytes", arena + 16))(change(package))

    return grow


def _run(ffi: Any, lib: Any, package: bytes, taken: Sequence[bytes],
         sizes: Sequence[int]) -> list[bytes]:
    """Outputs of a package whose META no longer describes it."""
    model, lent = ffi.new("efm_model *"), ffi.new("uint64_t[]", lib.EFM_OPEN_BYTES // 8)
    kept = ffi.from_buffer(package)
    assert lib.efm_model_open(model, kept, len(package), ffi.cast("uint8_t *", lent),
                              lib.EFM_OPEN_BYTES) == 0
    arena = ffi.new("uint64_t[]", lib.efm_model_arena_bytes(model) // 8 + 1)
    results = [ffi.new("uint8_t[]", size) for size in sizes]
    pc, rows = ffi.new("efm_pc *"), [ffi.from_buffer("uint8_t[]", data) for data in taken]
    pointers = ffi.new("const uint8_t *[]", rows), ffi.new("uint8_t *[]", results)
    pc.model, pc.inputs, pc.outputs, pc.taps = model, *pointers, ffi.NULL
    counters = ffi.new("efm_counters *")
    assert lib.efm_pc_run(pc, ffi.cast("uint8_t *", arena), 8 * len(arena), counters) == 0
    return [bytes(ffi.buffer(result)) for result in results]
