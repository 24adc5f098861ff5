# SPDX-License-Identifier: Apache-2.0
"""Points per nat from what was measured, and the budgets that follow."""

import json
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.rate_distortion import Budget
from edgefm.rate_distortion.points_per_nat import (
    PER_CHANGE,
    Changes,
    Toll,
    per_nat,
    read_per_nat,
    toll_of,
)


def test_the_line_goes_through_nought_and_good_figures_weigh_more() -> None:
    likely, cautious = per_nat([(0.01, 0.2, 0.1), (0.02, 0.4, 0.1)])
    assert likely == pytest.approx(20)
    assert cautious - likely == pytest.approx(0.1 / (0.01 ** 2 + 0.02 ** 2) ** 0.5)
    likely, _ = per_nat([(0.01, 0.2, 0.001), (0.02, 4.0, 10.0)])
    assert likely == pytest.approx(20, rel=1e-3)


def test_a_gain_promises_no_free_lunch_and_large_losses_do_not_count() -> None:
    assert per_nat([(0.01, -0.5, 0.01), (5.0, 70, 0.01)]) == (1.0, 1.0)


def test_a_points_budget_is_what_the_cautious_toll_lets_it_be() -> None:
    assert Budget(points=0.3).nats(Toll(10, 15)) == pytest.approx(0.02)
    assert Budget(points=0.3).nats(Toll(2, 3, 0.5)) == pytest.approx(0.01)
    assert Budget(kl=0.5).nats(Toll(10, 15)) == 0.5
    assert Toll(2, 3, 0.5).points(0.01) == pytest.approx((0.2, 0.3))


def test_a_network_whose_decisions_change_often_loses_more() -> None:
    steady, restless = (toll_of([Changes(0.01, share, 400), Changes(0.04, 2 * share, 400)])
                        for share in (0.03, 0.07))
    assert steady.points(0.01)[0] == pytest.approx(PER_CHANGE[0] * 3, rel=0.02)
    assert restless.points(0.01)[0] == pytest.approx(PER_CHANGE[0] * 7, rel=0.1)
    assert restless.nats(0.3) < steady.nats(0.3) / 3


def test_few_files_are_believed_little_and_cautiously() -> None:
    few, many = (toll_of([Changes(0.01, 0.03, files)]) for files in (4, 4000))
    nothing = toll_of([Changes(0.01, 0.0, 4)])
    assert few.likely == pytest.approx(many.likely, rel=0.01)
    assert few.cautious / few.likely > 1.3 * many.cautious / many.likely
    assert 0.7 * few.likely < nothing.likely < few.likely and toll_of([]).likely > 0


def curve(path: Path, **changed: object) -> Path:
    points = [{"kl_budget": None, "kl": 0.0, "difference": 0.0, "difference_error": 0.0},
              {"kl_budget": 0.01, "kl": 0.02, "difference": -0.4, "difference_error": 0.1,
               **changed}]
    path.write_text(json.dumps({"points": points}))
    return path


def test_a_sweep_tells_its_slope(tmp_path: Path) -> None:
    assert read_per_nat(curve(tmp_path / "sweep.json")) == pytest.approx((20, 25))


def test_what_is_no_sweep_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    with pytest.raises(BadInput, match=r"sweep\.json: no such file"):
        read_per_nat(path)
    for text in ("", "[]", '{"points": [{}]}', '{"points": 3}'):
        path.write_text(text)
        with pytest.raises(BadInput, match=r"sweep\.json: not (the sweep\.json of|a JSON file)"):
            read_per_nat(path)
    with pytest.raises(BadInput, match="no budget was measured"):
        read_per_nat(curve(path, kl=0.0))
