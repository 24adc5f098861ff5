# SPDX-License-Identifier: Apache-2.0
"""Which loops of a Cortex-M's DSP kernel a package needs: the runtime can leave out the others.

native/src/kernels/dsp has loops for CONV whose weights are plain rows, and for DEPTHWISE that is
not 3x3, or without scratch for it. A build without them refuses such operators when it opens.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgefm.network.program import OpKind
from edgefm.package.container import read_tiles
from edgefm.package.records import OPERATOR, Section, Tile

ROWS = 0            # EFM_PACKING_ROWS
_RECORD_BYTES = 48  # three words of four channels, of two columns each
_SUMS_BYTES = 8     # of two pixels
_LEAST_CHANNELS = 4
_PARAMS = struct.Struct("<9I")  # kernel, stride, dilation, padding: of rows, of pixels; multiplier


class _Operator(NamedTuple):
    kind: int
    n_in: int
    n_out: int
    reserved: int
    operands: int
    params: int
    n_params: int
    tiles: int
    n_tiles: int
    scratch: int
    scratch_bytes: int
    rows: int
    link: int


def needs_conv_rows(sections: Mapping[Section, bytes]) -> bool:
    """Whether the weights of any CONV are plain rows."""
    return any(tile is None or tile.packing == ROWS for _, tile in _tiles(sections, OpKind.CONV))


def needs_depthwise_windows(sections: Mapping[Section, bytes]) -> bool:
    """Whether any DEPTHWISE is not 3x3 with scratch for two pixels. Raises struct.error."""
    return any(tile is None or not _is_planar(sections, operator, tile)
               for operator, tile in _tiles(sections, OpKind.DEPTHWISE))


def _tiles(sections: Mapping[Section, bytes],
           kind: OpKind) -> Iterator[tuple[_Operator, Tile | None]]:
    """Each operator of a kind with its tile, or None where that is not one that is there."""
    tiles = list(read_tiles(sections))
    for operator in map(_Operator._make, OPERATOR.iter_unpack(sections[Section.OPERATORS])):
        if operator.kind == kind:
            one = operator.n_tiles == 1 and operator.tiles < len(tiles)
            yield operator, tiles[operator.tiles] if one else None


def _is_planar(sections: Mapping[Section, bytes], operator: _Operator, tile: Tile) -> bool:
    """As is_planar() and efm_dsp_depthwise_scratch() of native/src/kernels/dsp/depthwise.c."""
    kernel_h, kernel_w, _, stride_w, _, dilation_w, _, _, multiplier = _PARAMS.unpack_from(
        sections[Section.PARAMS], 4 * operator.params)
    return ((kernel_h, kernel_w, dilation_w, multiplier) == (3, 3, 1, 1) and stride_w <= 2
            and tile.out >= _LEAST_CHANNELS
            and operator.scratch_bytes >= (1 + stride_w) * _RECORD_BYTES + _SUMS_BYTES)
