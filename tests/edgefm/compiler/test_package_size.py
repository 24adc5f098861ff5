# SPDX-License-Identifier: Apache-2.0
"""A bound for the package costs no more loss than it takes."""

from pathlib import Path

import numpy as np
import pytest

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.package_size import attempts, why_not
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.runtime import Runtime
from tests.edgefm.compiler.test_coded_weights import network


def test_without_a_budget_weights_are_coded_and_nothing_is_lost() -> None:
    [only] = attempts(CompileOptions(package=1000, fast=500))
    assert only == CompileOptions(fast=500, weight_codec="auto")
    [bytes_] = attempts(CompileOptions(package=1000, byte_budget=9))
    assert bytes_ == CompileOptions(byte_budget=9, weight_codec="auto")


def test_a_budget_for_loss_is_spent_on_weights_if_their_code_is_not_enough() -> None:
    first, second = attempts(CompileOptions(package=1000, kl_budget=0.03, weight_codec="packed"))
    assert first == CompileOptions(weight_codec="packed")
    assert second == CompileOptions(weight_codec="packed", kl_budget=0.03, coarsen="weights")


def test_maps_that_shall_be_coarser_are_so_in_any_case() -> None:
    first, second = attempts(CompileOptions(package=1000, accuracy_budget=0.3, coarsen="both"))
    assert (first.accuracy_budget, first.coarsen) == (0.3, "maps")
    assert (second.accuracy_budget, second.coarsen) == (0.3, "both")


def test_the_error_names_what_was_reached_and_what_would_help() -> None:
    assert why_not(CompileOptions(package=1000), 1234) == (
        "got a package of 1234 bytes at the least; expected --package 1000 at most, or "
        "--kl-budget or --accuracy-budget as well, for coarser weights")
    assert why_not(CompileOptions(package=1000, kl_budget=0.1), 1234).endswith(
        "or a larger budget for loss")


def test_a_package_within_its_bound_gives_the_bits_of_the_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(export_tflite(network(calm=True)))
    plain = compile_model(path, CompileOptions(pictures=False))
    bound = len(plain.package) - 4000
    small = compile_model(path, CompileOptions(pictures=False, package=bound))
    data = [np.random.default_rng(1).integers(-128, 128, (1, 6, 6, 16)).astype(np.int8)]
    with Runtime(plain.package) as one, Runtime(small.package) as other:
        same = np.array_equal(one.run(data).outputs[0], other.run(data).outputs[0])
    assert same and len(small.package) <= bound
    with pytest.raises(BadInput, match=r"got a package of \d+ bytes at the least; expected "
                                       r"--package 3000 at most"):
        compile_model(path, CompileOptions(pictures=False, package=3000))
