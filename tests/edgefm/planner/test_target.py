# SPDX-License-Identifier: Apache-2.0
"""Target files: what they may say, and one clear line for everything else."""

from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.planner import Target, load_target
from edgefm.planner.target import BUILT_IN


def test_no_target_is_the_generic_one() -> None:
    assert load_target(None) == Target()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in_targets_go_by_the_name_they_carry(name: str) -> None:
    assert load_target(name).name == name


def test_a_file_sets_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text("fast_bytes = 65536\nalignment = 4\nburst = 64\nexternal_cost = 2.5\n")
    assert load_target(str(path)) == Target(name="board", fast_bytes=65536, alignment=4, burst=64,
                                            external_cost=2.5)


@pytest.mark.parametrize(("text", "got"), [
    ("speed = 3", "unknown key 'speed'"),
    ("alignment = 0", "alignment = 0 is out of range; expected 1 to 4096"),
    ("alignment = 5000", "alignment = 5000 is out of range"),
    ("buffers = 3", "buffers = 3 is out of range; expected 1 to 2"),
    ("burst = -1", "burst = -1 is out of range"),
    ("alignment = 8\nburst = 12", "burst = 12; expected a multiple of alignment (8)"),
    ("external_bytes = 4294967296", "external_bytes = 4294967296 is out of range"),
    ("external_cost = nan", "external_cost = nan is out of range"),
    ("weight_cost = inf", "weight_cost = inf is out of range"),
    ("weight_cost = '3'", "weight_cost = '3'; expected a number"),
    ("fast_bytes = 1.5", "fast_bytes = 1.5; expected a whole number"),
    ("fast_bytes = true", "fast_bytes = True; expected a whole number"),
    ("name = 3", "name = 3; expected text"),
    ("[memory]\nfast = 3", "unknown key 'memory'"),
    ("fast_bytes =", "not a TOML file"),
    ("\xff\x00", "not a text file"),
])
def test_a_file_that_says_something_else_is_one_clear_line(tmp_path: Path, text: str,
                                                           got: str) -> None:
    path = tmp_path / "board.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as error:
        load_target(str(path))
    assert got in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_neither_a_name_nor_a_file_lists_the_names() -> None:
    with pytest.raises(BadInput, match="no such file, and not one of generic"):
        load_target("nowhere.toml")


def test_budgets_replace_only_what_is_given() -> None:
    board = Target(fast_bytes=10, external_bytes=20)
    assert board.with_budget(None, None) == board
    assert board.with_budget(30, None) == Target(fast_bytes=30, external_bytes=20)
    assert board.with_budget(None, 0) == Target(fast_bytes=10, external_bytes=0)


@pytest.mark.parametrize(("alignment", "count", "crosses"), [
    (1, 0, 0), (1, 7, 7), (4, 0, 0), (4, 1, 4), (4, 4, 4), (16, 17, 32), (3, 10, 12)])
def test_transfers_are_rounded_up_to_the_alignment(alignment: int, count: int,
                                                   crosses: int) -> None:
    assert Target(alignment=alignment).transfer_bytes(count) == crosses
