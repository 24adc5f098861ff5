# SPDX-License-Identifier: Apache-2.0
"""Keywords become the compiler's options, or one clear line."""

import inspect
from pathlib import Path

import pytest

import edgefm
from edgefm.api.keywords import CompileKeywords, read_options
from edgefm.compiler.options import CompileOptions, LossBudget, Memory, Quality, Temporal
from edgefm.errors import BadInput


def test_no_keywords_are_the_compilers_defaults(model: Path) -> None:
    assert read_options(model, {}) == CompileOptions()


def test_every_keyword_reaches_its_option(model: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    options = read_options(model, {
        "fast": "96K", "external": "1.5M", "calib": str(tmp_path), "preprocess": "tf",
        "geometry": "stretch", "codec": "zvc", "objective": "maps", "cut": ["a", "b"],
        "memory": Memory(target="qspi-psram"), "budget": LossBudget(bytes="200K", rule="deviation"),
        "quality": "rows", "temporal": Temporal(3, refresh=9), "tables": "t.npz",
        "names": tmp_path / "names.txt"})
    assert options == CompileOptions(
        fast=96 << 10, external=3 << 19, calib=tmp_path, preprocess="tf", geometry="stretch",
        codec="zvc", objective="maps", cut="a,b", target="qspi-psram", byte_budget=200 << 10,
        rate_rule="deviation", quality="rows", tolerance=3, refresh=9, tables=Path("t.npz"),
        labels=("cat", "dog"))


def test_a_group_says_what_plain_keywords_say(model: Path) -> None:
    for memory in (Memory("96K", external=0), Memory(96 << 10, "0")):
        assert read_options(model, {"memory": memory}) == read_options(
            model, {"fast": "96K", "external": 0})
    assert read_options(model, {"temporal": Temporal()}).codec == "temporal"
    assert read_options(model, {"quality": Quality("rows", 4)}).tile == 4
    assert read_options(model, {"names": ["a", "b"]}).labels == ("a", "b")


@pytest.mark.parametrize(("given", "words"), [
    ({"fast": "many"}, "fast: got 'many', expected a size such as 65536, 64K or 16M"),
    ({"fast": 1.5}, "fast: got 1.5, expected a size"), ({"fast": -1}, "fast: got -1"),
    ({"fast": True}, "fast: got True"), ({"external": "1T"}, "external: got '1T'"),
    ({"fast": 1, "memory": Memory(2)}, "fast: got it twice"),
    ({"memory": "96K"}, r"memory: got '96K', expected edgefm.Memory\(…\)"),
    ({"budget": 0.3}, r"budget: got 0.3, expected edgefm.LossBudget\(…\)"),
    ({"quality": "good"}, "quality: got 'good', expected one of even, rows"),
    ({"quality": 3}, "quality: got 3, expected edgefm.Quality"), ({"calib": 3}, "calib: got 3"),
    ({"objective": 3}, "objective: got 3, expected text")])
def test_what_makes_no_sense_is_one_clear_line(model: Path, given: CompileKeywords,
                                               words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_options(model, given)


def test_an_unknown_keyword_is_a_type_error_that_lists_the_known(model: Path) -> None:
    with pytest.raises(TypeError, match="argument 'fats'; expected some of fast"):
        edgefm.compile(model, fats="96K")  # type: ignore[call-arg]


@pytest.mark.parametrize("function", [edgefm.compile, edgefm.plan, edgefm.diff, edgefm.validate])
def test_help_shows_every_keyword(function) -> None:
    shown = inspect.signature(function).parameters
    assert set(CompileKeywords.__annotations__) < set(shown)
    assert all(f"`{name}`" in function.__doc__ for name in CompileKeywords.__annotations__)
