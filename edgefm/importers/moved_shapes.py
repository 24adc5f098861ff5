# SPDX-License-Identifier: Apache-2.0
"""The shape that an operator gives which only moves values; ValueError says what cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from edgefm.network.operators import by_operator

Shape = tuple[int, ...]
_Attrs = Mapping[str, Any]
_MOST_PAD: Final = 1 << 16
_MOST_REPEATS: Final = 1 << 16


def moved_shape(op: str, attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    """The output's shape for an input of `shape`; `output` is what the file says, () if nothing."""
    return _SHAPES[op](attrs, shape, output)


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _reshape(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del attrs
    _expect(math.prod(shape) == math.prod(output), f"shape {shape} cannot become {output}")
    return output


def _transpose(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    perm = attrs["perm"]
    _expect(sorted(perm) == list(range(len(shape))), f"permutation {perm} of a shape {shape}")
    return tuple(shape[p] for p in perm)


def _pad(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    padding = attrs["padding"]
    _expect(len(padding) == len(shape), f"padding {padding} for a shape {shape}")
    _expect(all(0 <= p < _MOST_PAD for pair in padding for p in pair),
            f"padding {padding} is out of range")
    return tuple(d + a + b for d, (a, b) in zip(shape, padding, strict=True))


def _mirror_pad(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    made, edge = _pad(attrs, shape, output), int(attrs["reflect"])
    _expect(all(p <= d - edge for d, pair in zip(shape, attrs["padding"], strict=True)
                for p in pair), f"padding {attrs['padding']} mirrors more than a shape {shape} has")
    return made


def _slice(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    begin, size, stride, dropped = (attrs[n] for n in ("begin", "size", "stride", "dropped"))
    _expect(len(begin) == len(size) == len(stride) == len(shape),
            f"a slice of {len(size)} dimensions of a shape {shape}")
    inside = all(n >= 1 and 0 <= b < d and 0 <= b + (n - 1) * s < d
                 for b, n, s, d in zip(begin, size, stride, shape, strict=True))
    _expect(inside, f"a slice from {begin} of size {size} leaves shape {shape}, or is empty")
    _expect(all(size[d] == 1 for d in dropped), f"dimensions {dropped} of {size} are left out")
    return tuple(n for d, n in enumerate(size) if d not in dropped)


def _tile(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    repeats = attrs["repeats"]
    _expect(len(repeats) >= len(shape) and all(1 <= r <= _MOST_REPEATS for r in repeats),
            f"repeats {repeats} of a shape {shape}")
    wide = (1,) * (len(repeats) - len(shape)) + shape
    return tuple(d * r for d, r in zip(wide, repeats, strict=True))


def _gather(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    axis, indices = attrs["axis"], attrs["indices"]
    _expect(0 <= axis < len(shape), f"axis {axis} of a shape {shape}")
    _expect(len(indices) >= 1 and all(0 <= i < shape[axis] for i in indices),
            f"indices outside dimension {axis} of a shape {shape}, or none")
    behind = len(shape) - axis - 1
    chosen = output[axis:len(output) - behind] if output else (len(indices),)
    _expect(math.prod(chosen) == len(indices), f"{len(indices)} indices for a shape {output}")
    return (*shape[:axis], *chosen, *shape[axis + 1:])


def _depth_to_space(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    b = attrs["block"]
    _expect(len(shape) == 4 and b >= 1 and shape[3] % (b * b) == 0,
            f"blocks of {b} of a shape {shape}")
    return shape[0], shape[1] * b, shape[2] * b, shape[3] // (b * b)


def _space_to_depth(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    b = attrs["block"]
    _expect(len(shape) == 4 and b >= 1 and not shape[1] % b and not shape[2] % b,
            f"blocks of {b} of a shape {shape}")
    return shape[0], shape[1] // b, shape[2] // b, shape[3] * b * b


def _space_to_batch(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    block, padding = attrs["block"], attrs["padding"]
    _check_blocks(block, padding, shape)
    wide = _pad({"padding": ((0, 0), *padding, *((0, 0),) * (len(shape) - 1 - len(block)))}, shape,
                output)
    _expect(all(d % b == 0 for d, b in zip(wide[1:], block, strict=False)),
            f"blocks of {block} of a padded shape {wide}")
    return (shape[0] * math.prod(block),
            *(d // b for d, b in zip(wide[1:], block, strict=False)), *wide[1 + len(block):])


def _batch_to_space(attrs: _Attrs, shape: Shape, output: Shape) -> Shape:
    del output
    block, crops = attrs["block"], attrs["crops"]
    _check_blocks(block, crops, shape)
    _expect(shape[0] % math.prod(block) == 0, f"blocks of {block} of {shape[0]} batches")
    sizes = tuple(d * b - sum(crop) for d, b, crop in zip(shape[1:], block, crops, strict=False))
    _expect(min(sizes) >= 1 and all(c >= 0 for crop in crops for c in crop),
            f"crops {crops} of a shape {shape} in blocks of {block}")
    return shape[0] // math.prod(block), *sizes, *shape[1 + len(block):]


def _check_blocks(block: Sequence[int], edges: Sequence[tuple[int, int]], shape: Shape) -> None:
    _expect(1 <= len(block) == len(edges) < len(shape) and all(b >= 1 for b in block),
            f"blocks of {block} and {len(edges)} edges for a shape {shape}")


_SHAPES: Final[Mapping[str, Callable[[_Attrs, Shape, Shape], Shape]]] = by_operator(
    "importers.moved_shapes", {
        "reshape": _reshape,
        "transpose": _transpose,
        "pad": _pad,
        "pad_with": _pad,
        "mirror_pad": _mirror_pad,
        "slice": _slice,
        "tile": _tile,
        "gather": _gather,
        "depth_to_space": _depth_to_space,
        "space_to_depth": _space_to_depth,
        "space_to_batch": _space_to_batch,
        "batch_to_space": _batch_to_space,
    }, among=lambda one: one.reorders)
