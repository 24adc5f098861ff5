# SPDX-License-Identifier: Apache-2.0
"""Modeled energy is bytes times the table, labeled so, and a wrong table is refused."""

import pytest

from edgefm.errors import BadInput
from host_tools.link.events import NOTHING, Counted
from host_tools.measurement.costs import load_costs, modeled

COUNTED = Counted(1000, 500, 4000, 300, 10, 400, 800)
GOOD = """
[external]
pj_per_byte = [100, 200]
source = "a"
[weights]
pj_per_byte = [10, 10]
source = "b"
[operation]
pj_per_mac = [1, 3]
source = "c"
"""


def test_the_packages_table_cites_its_sources():
    costs = load_costs()
    for cost in (costs.external, costs.weights, costs.operation):
        assert 0 < cost.least <= cost.most < 1e-9 and len(cost.source) > 20


def test_energy_is_amounts_times_costs(tmp_path):
    (tmp_path / "c.toml").write_text(GOOD)
    got = modeled(load_costs(tmp_path / "c.toml"), COUNTED, macs=1_000_000)
    least, most = 1500 * 100 + 4000 * 10 + 1e6, 1500 * 200 + 4000 * 10 + 3e6
    assert got.value == pytest.approx((least + most) / 2 * 1e-12)
    assert got.error == pytest.approx((most - least) / 2 * 1e-12)
    assert got.label == "modeled"
    assert modeled(load_costs(), NOTHING).value == 0


@pytest.mark.parametrize("text", [
    "x", GOOD.replace("[100, 200]", "100"), GOOD.replace("[100, 200]", "[200, 100]"),
    GOOD.replace("[100, 200]", "[-1, 1]"), GOOD.replace("[100, 200]", '["a", 1]'),
    GOOD.replace("[100, 200]", "[nan, 1]"), GOOD.replace('source = "a"', ""),
    GOOD.replace("[external]", "[extern]"), GOOD.replace("[operation]", "[[operation]]")],
                         ids=repr)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadInput, match=r"c\.toml: ") as error:
        load_costs(tmp_path / "c.toml")
    assert "\n" not in str(error.value)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        load_costs(tmp_path / "none.toml")
