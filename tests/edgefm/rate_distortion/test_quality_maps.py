# SPDX-License-Identifier: Apache-2.0
"""Quality maps are coarse where derivatives are small, by place or by activity."""

import numpy as np
import pytest

from edgefm.codecs import RowShape
from edgefm.codecs.quality import QualityKind, QualityMap
from edgefm.codecs.shift import Cap, seen_map, shifted, unshifted
from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Stream
from edgefm.rate_distortion.fisher import derivatives
from edgefm.rate_distortion.quality_maps import (
    _VARIANCES,
    QUALITIES,
    SAMPLES,
    Chooser,
    _cells,
    _offsets,
    by_position,
    chooser_for,
)

STREAM = Stream("map", 8, 12, 2, zero_point=3, tensor=5)
SHAPE = RowShape(12, 2, 3)
KINDS = (QualityKind.STATIC, QualityKind.DERIVED, QualityKind.SIGNALLED)


def chooser(kind: QualityKind, weights: np.ndarray, tile: int = 4) -> Chooser:
    """One that has seen derivatives [samples, 8, 12] already."""
    return Chooser(None, [], kind, tile, weights={5: list(weights)})  # type: ignore[arg-type]


def offsets(cap: Cap, y: int, row: Array | None = None) -> list[int]:
    assert cap.quality is not None
    classes = np.zeros(0, np.uint8) if row is None else cap.quality.classes(SHAPE, row)
    return cap.quality.offsets(SHAPE, y, classes).tolist()


def test_places_are_coarser_where_that_costs_less_than_it_is_worth() -> None:
    assert _offsets(np.array([9, 1, 0.24, 0.22, 0.11, 0.02, 0.0]), 1.0).tolist() == [
        0, 0, 0, 1, 2, 3, 3]
    assert _offsets(np.ones(5)).tolist() == [0] * 5


def test_variances_are_those_of_values_rounded_twice() -> None:
    values = np.arange(-64, 64, dtype=np.int8)[:, None]
    for bits, variance in enumerate(_VARIANCES):
        error = unshifted(shifted(values, 0, bits, True), 0, bits) - values.astype(float)
        assert 1 + 12 * np.mean(error[16:-16] ** 2) == pytest.approx(variance)


def test_cells_are_means_with_smaller_ones_at_the_ends() -> None:
    cells = _cells(np.arange(15.0).reshape(3, 5), 2, 3)
    assert cells.tolist() == [[3.5, 6.0], [11.0, 13.5]]


def test_places_that_count_little_are_coarser() -> None:
    weights = np.ones((2, 8, 12))
    weights[:, 4:, 8:] = 1 / 64
    cap = chooser(QualityKind.STATIC, weights).shaped(STREAM, Cap(9, 0), [])
    assert [offsets(cap, y) for y in (0, 3, 4, 7)] == [[0, 0, 0]] * 2 + [[0, 0, 3]] * 2
    weights = np.repeat([[1.0] * 4 + [0.05] * 4], 2, axis=0)[..., None] * np.ones(12)
    rows = chooser(QualityKind.STATIC, weights, 0)
    rows.band = 1
    cap = rows.shaped(STREAM, Cap(9, 0), [])
    assert [offsets(cap, y) for y in range(8)] == [[0]] * 4 + [[2]] * 4


@pytest.mark.parametrize("kind", [QualityKind.DERIVED, QualityKind.SIGNALLED])
def test_tiles_whose_like_count_little_are_coarser(kind: QualityKind) -> None:
    """The left half of the map is calm, the right one busy; what counts lies right."""
    random = np.random.default_rng(0)
    rows = np.full((8, 12, 2), 3, np.int8)
    rows[:, 4:] += random.integers(-40, 40, (8, 8, 2)).astype(np.int8)
    weights = np.where(np.arange(12) < 4, 0.01, 1.0) * np.ones((2, 8, 1))
    cap = chooser(kind, weights).shaped(STREAM, Cap(9, 0), [rows, rows])
    assert cap.kind == kind
    left, *right = offsets(cap, 5, rows[4])
    assert left >= 2 and right == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tile", [0, 4, 5, 99])
def test_neutral_maps_change_nothing_and_take_the_same_memory(kind: QualityKind, tile: int) -> None:
    one = chooser(kind, np.random.default_rng(1).random((2, 8, 12)) ** 4, tile)
    rows = np.random.default_rng(2).integers(-128, 128, (8, 12, 2)).astype(np.int8)
    neutral, shaped = one.neutral(STREAM, Cap(9, 4)), one.shaped(STREAM, Cap(9, 4), [rows, rows])
    assert np.array_equal(seen_map(SHAPE, rows, neutral), rows)
    assert (neutral.kind, neutral.per_row, neutral.depth) == (shaped.kind, 9, 4)
    if neutral.quality and shaped.quality:
        assert neutral.quality.tile == shaped.quality.tile <= 12
        assert neutral.quality.offset_bytes(SHAPE) == shaped.quality.offset_bytes(SHAPE)


def test_weights_are_squared_derivatives_of_all_channels(classifier: Graph, samples: list[Array],
                                                         maps: dict[str, int]) -> None:
    t = next(t for name, t in maps.items() if name.startswith("add"))
    found = by_position(classifier, samples[:2])
    each = [d[t][0].astype(np.float64) ** 2 for d in derivatives(classifier, samples[:2],
                                                                 probes=2)]
    assert len(found[t]) == 2 and found[t][0].shape == each[0].shape[:2]
    np.testing.assert_allclose(found[t][1], (each[2] + each[3]).sum(axis=2))


def test_kinds_and_tiles_that_do_not_exist_are_refused(classifier: Graph) -> None:
    assert chooser_for(classifier, [], "even", 8, lambda: None) is None
    with pytest.raises(BadInput, match="expected one of even, rows, static"):
        chooser_for(classifier, [], "fine", 8, lambda: None)
    with pytest.raises(BadInput, match="tiles of 70000 pixels"):
        chooser_for(classifier, [], "static", 70000, lambda: None)
    made = chooser_for(classifier, [np.zeros(1)] * 64, "derived", 8, lambda: None)
    assert made is not None and len(made.samples) == SAMPLES
    rows = chooser_for(classifier, [np.zeros(1)], "rows", 8, lambda: None)
    assert rows is not None and (rows.kind, rows.tile, rows.band) == (QualityKind.STATIC, 0, 1)
    assert QUALITIES == ("even", "rows", "static", "derived", "signalled")


def test_static_maps_know_their_row() -> None:
    quality = QualityMap(QualityKind.STATIC, 6, bytes([3, 0, 1, 2, 3, 4]))
    assert [quality.offsets(SHAPE, y, np.zeros(0, np.uint8)).tolist() for y in (0, 2, 3)] == [
        [1, 2], [1, 2], [3, 4]]
