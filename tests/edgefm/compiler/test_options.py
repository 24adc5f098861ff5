# SPDX-License-Identifier: Apache-2.0
"""Groups of options check what they get, and print what differs from the defaults."""

import pytest

from edgefm.compiler.options import LossBudget, Memory, Quality, Temporal
from edgefm.errors import BadInput


def test_reprs_have_what_differs_from_the_defaults() -> None:
    assert repr(Memory("96K", target="qspi-psram")) == "Memory(fast=98304, target='qspi-psram')"
    assert repr(LossBudget(bytes="2K", rule="deviation")) == (
        "LossBudget(bytes=2048, rule='deviation')")
    assert (repr(Quality()), repr(Temporal(refresh=3))) == ("Quality()", "Temporal(refresh=3)")


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Memory("96Q"), "fast: got '96Q', expected a size"),
    (lambda: Memory(external=-1), "external: got -1"), (lambda: LossBudget(), "expected one of kl"),
    (lambda: LossBudget(kl=1, points=1), "expected one of kl"),
    (lambda: LossBudget(kl=0), "kl: got 0, expected a number above 0"),
    (lambda: LossBudget(points=float("nan")), "points: got nan"),
    (lambda: LossBudget(points="0.3"), "points: got '0.3'"),
    (lambda: LossBudget(bytes=0), "expected one of kl"),
    (lambda: LossBudget(kl=1, rule="luck"), "rule: got 'luck', expected one of slope, deviation"),
    (lambda: LossBudget(kl=1, transform="x"), "transform: got 'x', expected one of none, channels"),
    (lambda: Quality("good"), "quality: got 'good', expected one of even"),
    (lambda: Quality(tile=-1), "tile: got -1, expected a whole number from 0 to 65535"),
    (lambda: Temporal(256), "tolerance: got 256, expected a whole number from 0 to 255"),
    (lambda: Temporal(1.0), "tolerance: got 1.0"),
    (lambda: Temporal(refresh=True), "refresh: got True")])
def test_what_makes_no_sense_is_refused_at_once(make, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make()
