# SPDX-License-Identifier: Apache-2.0
"""Errors that name a network by its file."""

from pathlib import Path

import pytest

from edgefm.errors import BadInput, Infeasible, RuntimeFault, naming


@pytest.mark.parametrize(("text", "expected"), [
    ("main_graph: no map", "d/net.onnx: no map"), ("main_graph2: no map", "main_graph2: no map"),
    ("a.npy: of main_graph: short", "a.npy: of main_graph: short")])
def test_a_network_at_the_front_becomes_its_file(text: str, expected: str) -> None:
    with pytest.raises(BadInput) as error, naming(Path("d/net.onnx"), "main_graph"):
        raise BadInput(text)
    assert str(error.value) == expected


def test_everything_else_about_an_error_stays() -> None:
    with pytest.raises(Infeasible) as infeasible, naming(Path("n.onnx"), "g"):
        raise Infeasible("g: too little", 7, "conv")
    assert (str(infeasible.value), infeasible.value.smallest, infeasible.value.operator) == (
        "n.onnx: too little", 7, "conv")
    with pytest.raises(RuntimeFault) as fault, naming(None, "g"):
        raise RuntimeFault("g: stopped", -3)
    assert (str(fault.value), fault.value.status) == ("g: stopped", -3)
