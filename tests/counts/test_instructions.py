# SPDX-License-Identifier: Apache-2.0
"""Predicted instructions are those counted, of networks that the figures were not fitted on."""

from __future__ import annotations

import pytest

from edgefm.planner.figures import figures_of
from edgefm.planner.instructions import predicted
from tests.counts import table
from tests.counts.networks import MADE_UP, MOBILENET_V2, PUBLISHED, Counted, data_folder
from tests.counts.processors import PROCESSORS

OFF = 0.05  # of a count, at most
FIGURES = {"aarch64, SDOT": "aarch64-sdot", "cortex-m4, pairs": "cortex-m4-pairs",
           "cortex-m4, portable": "cortex-m4-portable", "cortex-m7": "cortex-m4"}
# Predictions that are further off, and how far: weights with a zero point take the kernels mve and
# neon through loops that are rare, and windows of ARMv7 are joined in ways that differ.
BEYOND = {"cortex-m55: weight zeros": 0.13, "cortex-m55: inverted residuals": 0.06,
          "aarch64, SDOT: weight zeros": 0.15, "armv7: residuals": 0.07, "armv7: vww_96": 0.08,
          "armv7: resnet8": 0.07, "armv7: kws": 0.07}


@pytest.fixture(scope="module")
def packages() -> table.Packages:
    """Networks that are compiled once for all tests."""
    return table.Packages()


def off(processor: str, network: Counted, packages: table.Packages) -> list[str]:
    """A line for each prediction that is too far from its count."""
    figures = figures_of(FIGURES.get(processor, processor))
    assert figures is not None, processor
    lines, rows = [], table.read().rows
    for arena in network.arenas:
        name = table.row_name(PROCESSORS[processor], network, arena)
        made = packages.get(network, arena, PROCESSORS[processor])
        got = sum(predicted(made.program, made.plan, figures))
        counted = rows[name]["instructions"]
        if abs(got / counted - 1) > BEYOND.get(f"{processor}: {network.name}", OFF):
            lines.append(f"{name}: predicted {got:,}, counted {counted:,}")
    return lines


@pytest.mark.parametrize("processor", PROCESSORS)
def test_predictions_for_networks_made_up_are_within_five_percent(
        processor: str, packages: table.Packages) -> None:
    wrong = [line for network in MADE_UP for line in off(processor, network, packages)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_predictions_for_published_networks_are_within_five_percent(
        processor: str, packages: table.Packages) -> None:
    found = [one for one in PUBLISHED if not one.long and (data_folder() / one.file).is_file()]
    if not found:
        pytest.skip("needs the real models: EDGEFM_DATA names no folder with models/ in it")
    wrong = [line for network in found for line in off(processor, network, packages)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("processor", PROCESSORS)
def test_predictions_for_mobilenet_are_within_five_percent(
        processor: str, packages: table.Packages) -> None:
    if not (data_folder() / MOBILENET_V2.file).is_file():
        pytest.skip("needs the real models: EDGEFM_DATA names no folder with models/ in it")
    wrong = off(processor, MOBILENET_V2, packages)
    assert not wrong, "\n".join(wrong)
