# SPDX-License-Identifier: Apache-2.0
"""Points per nat from what was measured, and the budgets that follow."""

import json
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.rate_distortion import Budget
from edgefm.rate_distortion.points_per_nat import PER_NAT, per_nat, read_per_nat


def test_the_line_goes_through_nought_and_good_figures_weigh_more() -> None:
    likely, cautious = per_nat([(0.01, 0.2, 0.1), (0.02, 0.4, 0.1)])
    assert likely == pytest.approx(20)
    assert cautious - likely == pytest.approx(0.1 / (0.01 ** 2 + 0.02 ** 2) ** 0.5)
    likely, _ = per_nat([(0.01, 0.2, 0.001), (0.02, 4.0, 10.0)])
    assert likely == pytest.approx(20, rel=1e-3)


def test_a_gain_promises_no_free_lunch_and_large_losses_do_not_count() -> None:
    assert per_nat([(0.01, -0.5, 0.01), (5.0, 70, 0.01)]) == (1.0, 1.0)


def test_a_points_budget_divides_by_the_cautious_slope() -> None:
    assert Budget(points=0.3).nats == pytest.approx(0.3 / PER_NAT[1])
    assert Budget(points=0.3, per_nat=(10, 15)).nats == pytest.approx(0.02)


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
