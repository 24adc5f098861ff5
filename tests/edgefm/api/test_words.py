# SPDX-License-Identifier: Apache-2.0
"""Errors speak of keywords where Python asks."""

from pathlib import Path

import numpy as np
import pytest
from networks import Network

import edgefm
from edgefm.api.words import in_keywords
from edgefm.errors import BadInput, Infeasible
from edgefm.exporters.tflite import export_tflite


@pytest.mark.parametrize(("line", "words"), [
    ("x: expected --calib DIR, --preprocess raw|tf", "x: expected calib=DIR, preprocess=raw|tf"),
    ("needs less fast memory (--fast) or a --cut", "needs less fast memory (`fast`) or a `cut`"),
    ("4 bytes suffice with --external 512", "4 bytes suffice with external=512"),
    ("--byte-budget and --quality even", "budget=LossBudget(bytes=…) and quality=even"),
    ("got --coarsen weights alone", "got budget=LossBudget(coarsen=…) of weights alone"),
    ("--workers is not ours; a--calib DIR", "--workers is not ours; a--calib DIR")])
def test_options_become_keywords(line: str, words: str) -> None:
    with pytest.raises(BadInput) as error, in_keywords():
        raise BadInput(line)
    assert str(error.value) == words


def test_other_fields_of_an_error_stay() -> None:
    with pytest.raises(Infeasible) as error, in_keywords():
        raise Infeasible("--fast 3", 512, "conv")
    assert (str(error.value), error.value.smallest, error.value.operator) == ("fast=3", 512, "conv")


def test_what_needs_calibration_names_the_keyword(tmp_path: Path) -> None:
    net = Network(1)
    path = tmp_path / "net.tflite"
    path.write_bytes(export_tflite(net.graph(net.conv(net.input(1, 8, 8, 3), 4))))
    for ask in (edgefm.compile, edgefm.plan, edgefm.diff):
        with pytest.raises(BadInput, match="calibration files are needed; expected calib=DIR"):
            ask(path, cut="ops", codec="context")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(BadInput, match="calib=DIR"):
        edgefm.validate(path, tmp_path, tmp_path, cut="ops", codec="context")
