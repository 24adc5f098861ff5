# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that only move values, as the graph's: slices in all their spellings, pads,
repetitions and rearrangements."""

from __future__ import annotations

from typing import Final

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.tflite_layer import Attrs, Layer, Reading

_MOST_INDICES: Final = 1 << 16
_REFLECT: Final = 0


def read_pad(layer: Layer) -> Attrs:
    """PAD: pairs of cells per dimension."""
    return {"padding": _pairs(layer.constant(1))}


def read_pad_with(layer: Layer) -> Attrs:
    """PADV2: the value has the input's type and scale."""
    x, value = layer.tensor(0), layer.tensor(2)
    if value.data is None or value.data.size != 1 or value.dtype != x.dtype:
        raise UnsupportedModel(f"it pads with {value.dtype} {value.shape}, expected one constant "
                               f"{x.dtype}")
    return {"padding": _pairs(layer.constant(1)), "value": value.data.ravel()[0].item()}


def read_mirror_pad(layer: Layer) -> Attrs:
    """MIRROR_PAD."""
    return {"padding": _pairs(layer.constant(1)), "reflect": layer.options["mode"] == _REFLECT}


def read_transpose(layer: Layer) -> Attrs:
    """TRANSPOSE."""
    return {"perm": tuple(layer.axis(p) for p in layer.constant(1))}


def read_tile(layer: Layer) -> Attrs:
    """TILE, and BROADCAST_TO, which says the shape it wants."""
    numbers = layer.constant(1)
    if layer.operator == "TILE":
        return {"repeats": numbers}
    shape = layer.tensor(0).shape
    wide = (1,) * (len(numbers) - len(shape)) + shape
    if len(wide) != len(numbers) or any(d < 1 or n % d for n, d in zip(numbers, wide, strict=True)):
        raise BadInput(f"shape {shape} broadcast to {numbers}")
    return {"repeats": tuple(n // d for n, d in zip(numbers, wide, strict=True))}


def read_gather(layer: Layer) -> Attrs:
    """GATHER with constant indices."""
    if layer.options["batch_dims"]:
        raise UnsupportedModel("indices of each batch are not supported")
    axis = layer.axis(layer.options["axis"])
    return {"axis": axis, "indices": layer.constant(1, _MOST_INDICES)}


def read_block(layer: Layer) -> Attrs:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH."""
    return {"block": layer.options["block"]}


def read_space_to_batch(layer: Layer) -> Attrs:
    """SPACE_TO_BATCH_ND."""
    return {"block": layer.constant(1), "padding": _pairs(layer.constant(2))}


def read_batch_to_space(layer: Layer) -> Attrs:
    """BATCH_TO_SPACE_ND."""
    return {"block": layer.constant(1), "crops": _pairs(layer.constant(2))}


def read_slices(layer: Layer) -> list[Reading]:
    """SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK: a slice for each output."""
    return _SLICES[layer.operator](layer)


def read_reverse(layer: Layer) -> Reading:
    """REVERSE_V2: some dimensions from the last cell to the first."""
    shape, axes = _sizes(layer, 0), {layer.axis(a) for a in layer.constant(1)}
    begin = tuple(n - 1 if d in axes else 0 for d, n in enumerate(shape))
    return _reading(0, begin, shape, tuple(-1 if d in axes else 1 for d in range(len(shape))))


def _pairs(numbers: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=False))


def _slice(layer: Layer) -> list[Reading]:
    shape = _sizes(layer, 0)
    begin, size = layer.constant(1), layer.constant(2)
    if not len(begin) == len(size) == len(shape):
        raise BadInput(f"a slice of {len(size)} dimensions of a shape {shape}")
    size = tuple(d - b if n == -1 else n for n, b, d in zip(size, begin, shape, strict=True))
    return [_reading(0, begin, size, (1,) * len(shape))]


def _strided_slice(layer: Layer) -> list[Reading]:
    options, shape = layer.options, _sizes(layer, 0)
    if options["new_axis_mask"]:
        raise UnsupportedModel("slices that add dimensions are not supported")
    begins, ends, strides = (layer.constant(i) for i in (1, 2, 3))
    if not 1 <= len(begins) == len(ends) == len(strides) <= len(shape) or 0 in strides:
        raise BadInput(f"a slice with strides {strides} of a shape {shape}")
    if options["offset"]:
        ends = tuple(b + e for b, e in zip(begins, ends, strict=True))
    places = _places(options["ellipsis_mask"], len(strides), len(shape))
    cuts = []
    for length, i in zip(shape, places, strict=True):
        begin, end = (None if i < 0 or options[mask] >> i & 1 else numbers[i] for numbers, mask in (
            (begins, "begin_mask"), (ends, "end_mask")))
        if i >= 0 and options["shrink_axis_mask"] >> i & 1:
            begin = begins[i] + (length if begins[i] < 0 else 0)
            cuts.append((begin, 1, 1))
            continue
        cells = range(*slice(begin, end, strides[i] if i >= 0 else 1).indices(length))
        cuts.append((cells.start, len(cells), cells.step))
    dropped = (d for d, i in enumerate(places) if i >= 0 and options["shrink_axis_mask"] >> i & 1)
    begin_, size, stride = zip(*cuts, strict=True)
    return [_reading(0, begin_, size, stride, tuple(dropped))]


def _places(ellipsis: int, given: int, rank: int) -> list[int]:
    """For each dimension which of the `given` cuts is its own, -1 where none is: the ellipsis
    stands for as many dimensions as are missing, else the last ones are whole."""
    places, missing = list(range(given)), rank - given
    at = next((i for i in places if ellipsis >> i & 1), None)
    if at is None:
        return places + [-1] * missing
    return places[:at] + [-1] * (missing + 1) + places[at + 1:]


def _sizes(layer: Layer, i: int) -> tuple[int, ...]:
    """The shape of input i, which must be known and not be that of a scalar."""
    shape = layer.tensor(i).shape
    if min(shape, default=0) < 1:
        raise BadInput(f"a part of a shape {shape}")
    return shape


def _split(layer: Layer) -> list[Reading]:
    shape, count = _sizes(layer, 1), len(layer.outputs)
    axis = layer.axis(layer.number(0), of=1)
    if shape[axis] % count:
        raise BadInput(f"{count} equal parts of {shape[axis]}")
    return _parts(shape, 1, axis, (shape[axis] // count,) * count)


def _split_v(layer: Layer) -> list[Reading]:
    shape, sizes, axis = _sizes(layer, 0), layer.constant(1, 1 << 10), layer.axis(layer.number(2))
    rest = shape[axis] - sum(n for n in sizes if n != -1)
    sizes = tuple(rest if n == -1 else n for n in sizes)
    if len(sizes) != len(layer.outputs) or sum(sizes) != shape[axis]:
        raise BadInput(f"{len(layer.outputs)} parts of sizes {sizes} of {shape[axis]}")
    return _parts(shape, 0, axis, sizes)


def _unpack(layer: Layer) -> list[Reading]:
    shape, axis = _sizes(layer, 0), layer.axis(layer.options["axis"])
    if shape[axis] != len(layer.outputs):
        raise BadInput(f"{len(layer.outputs)} parts of {shape[axis]}")
    return _parts(shape, 0, axis, (1,) * len(layer.outputs), (axis,))


def _parts(shape: tuple[int, ...], source: int, axis: int, sizes: tuple[int, ...],
           dropped: tuple[int, ...] = ()) -> list[Reading]:
    """Slices one after another along `axis`."""
    made, start = [], 0
    for output, size in enumerate(sizes):
        begin, cut = [0] * len(shape), list(shape)
        begin[axis], cut[axis] = start, size
        made.append(_reading(source, tuple(begin), tuple(cut), (1,) * len(shape), dropped, output))
        start += size
    return made


def _reading(source: int, begin: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...],
             dropped: tuple[int, ...] = (), output: int = 0) -> Reading:
    return Reading("slice", {"begin": begin, "size": size, "stride": stride, "dropped": dropped},
                   (source,), (output,))


_SLICES: Final = {"SLICE": _slice, "STRIDED_SLICE": _strided_slice, "SPLIT": _split,
                  "SPLIT_V": _split_v, "UNPACK": _unpack}
