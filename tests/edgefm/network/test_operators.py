# SPDX-License-Identifier: Apache-2.0
"""One record per operator; rooms that do not fit the records are refused when imported."""

import importlib
import importlib.util
from dataclasses import replace
from types import ModuleType

import pytest

from edgefm.importers.tflite_schema import ACTIVATIONS as FUSED
from edgefm.importers.tflite_schema import OPERATORS as TFLITE
from edgefm.importers.tflite_schema import OPTIONS
from edgefm.network import operators
from edgefm.network.operators import (
    ACTIVATIONS,
    OF_ONNX,
    OF_TFLITE,
    OPERATORS,
    Kind,
    Operator,
    Scale,
    by_onnx,
    by_operator,
)
from edgefm.ops.unary import UNARY

ROOMS = {  # module: the room's name in its errors
    "edgefm.network.rewrite": "network.rewrite",
    "edgefm.ops": "ops",
    "edgefm.importers.rules": "importers.rules",
    "edgefm.importers.tflite_operators": "importers.tflite_operators",
    "edgefm.importers.onnx_operators": "importers.onnx_operators",
    "edgefm.exporters.tflite_operators": "exporters",
    "edgefm.lower.layers": "lower",
    "edgefm.rate_distortion.gradient": "rate_distortion",
}
NEW = Operator("brew", Kind.BOXES, tflite=("BREW",), onnx=("Brew",), folds=True)


def _use(monkeypatch: pytest.MonkeyPatch, *records: Operator) -> None:
    """Put other records in the place of those that there are, once all rooms are imported."""
    for module in ROOMS:
        importlib.import_module(module)
    onnx = tuple(name for one in records for name in one.onnx)
    plain = {name: one for one in records for name in one.onnx
             if one.is_plain and onnx.count(name) == 1}
    monkeypatch.setattr(operators, "_RECORDS", records)
    monkeypatch.setattr(operators, "OPERATORS", {one.name: one for one in records})
    monkeypatch.setattr(operators, "_ONNX", onnx)
    monkeypatch.setattr(operators, "OF_ONNX", plain)


def _import_again(module: str) -> ModuleType:
    """A second copy of a module, made with the records that there are now."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("module", ROOMS)
def test_a_room_without_an_entry_for_an_operator_is_not_imported(
        module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, *operators._RECORDS, NEW)
    with pytest.raises(RuntimeError, match=rf"{ROOMS[module]}: got no entry for .*'[Bb]rew'"):
        _import_again(module)


@pytest.mark.parametrize("module", ROOMS)
def test_a_room_with_an_entry_for_no_operator_is_not_imported(
        module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, *(one for one in operators._RECORDS if one.name != "reshape"))
    with pytest.raises(RuntimeError,
                       match=rf"{ROOMS[module]}: got an entry for '(reshape|Flatten)', expected"):
        _import_again(module)


def test_an_entry_of_its_own_goes_before_that_of_the_kind() -> None:
    only = by_operator("here", {Kind.UNARY: 1, "relu": 2}, lambda one: one.kind is Kind.UNARY)
    assert only["logistic"] == 1 and only["relu"] == 2 and set(only) == set(UNARY)


def test_an_entry_for_an_operator_that_the_room_does_not_have_is_refused() -> None:
    with pytest.raises(RuntimeError, match="here: got an entry for 'softmax'"):
        by_operator("here", {Kind.UNARY: 1, "softmax": 1}, lambda one: one.kind is Kind.UNARY)


def test_an_onnx_name_that_stands_for_two_operators_needs_a_converter() -> None:
    assert OF_ONNX["Relu"].name == "relu" and "Clip" not in OF_ONNX
    every = {name: 0 for one in OPERATORS.values() for name in one.onnx}
    del every["Clip"]
    with pytest.raises(RuntimeError, match="here: got no entry for 'Clip'"):
        by_onnx("here", every, 1, ())


def test_a_unary_operator_needs_its_record_and_its_meaning_only(
        monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(OPERATORS["relu6"], name="brew", tflite=("BREW",), onnx=("Brew",))
    _use(monkeypatch, *operators._RECORDS, new)
    monkeypatch.setattr("edgefm.ops.unary.UNARY", {**UNARY, "brew": UNARY["relu6"]})
    for module in ROOMS:
        _import_again(module)
    converters = _import_again("edgefm.importers.onnx_operators").CONVERTERS
    assert converters["Brew"] is converters["Relu"]


def test_every_unary_operator_is_one_by_its_record() -> None:
    assert set(UNARY) == {one.name for one in OPERATORS.values() if one.kind is Kind.UNARY}


def test_every_name_of_tflite_is_in_its_schema() -> None:
    for name in OF_TFLITE:
        assert name in TFLITE or name == "TFLite_Detection_PostProcess"


def test_options_that_are_attributes_have_their_names() -> None:
    for one in OPERATORS.values():
        if one.kind is Kind.UNARY:
            spec = OPTIONS.get(one.tflite[0])
            assert one.attrs == (tuple(name for name, *_ in spec.fields) if spec else ())


def test_activations_are_those_that_tflite_fuses() -> None:
    assert set(ACTIVATIONS) == set(FUSED)


def test_only_maps_with_one_scale_are_prescribed_one() -> None:
    for one in OPERATORS.values():
        assert (one.fixed is not None) == (one.scale is Scale.FIXED)
