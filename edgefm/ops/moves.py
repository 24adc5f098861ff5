# SPDX-License-Identifier: Apache-2.0
"""Operators that only give values other places. None looks at what the values are, so a map of
positions goes through them as well as a map of values does."""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array
from edgefm.ops.call import Call


def reshape(call: Call) -> Array:
    """The same values in the output's shape."""
    return call.values[0].reshape(call.output.shape)


def transpose(call: Call) -> Array:
    """Output dimension i is input dimension perm[i]."""
    return np.ascontiguousarray(call.values[0].transpose(call.attrs["perm"]))


def pad(call: Call) -> Array:
    """Filled with real zero."""
    fill = 0 if call.is_float else call.output.zero_point
    return np.pad(call.values[0], call.attrs["padding"], constant_values=fill)


def pad_with(call: Call) -> Array:
    """Filled with a value of the tensor's own type."""
    return np.pad(call.values[0], call.attrs["padding"], constant_values=call.attrs["value"])


def mirror_pad(call: Call) -> Array:
    """Filled with what lies on the other side of the edge, or of the edge's own cells."""
    mode = "reflect" if call.attrs["reflect"] else "symmetric"
    return np.pad(call.values[0], call.attrs["padding"], mode=mode)  # type: ignore[call-overload,no-any-return]


def slice_of(call: Call) -> Array:
    """`size` cells per dimension, `stride` apart, from `begin` on."""
    cells = [begin + stride * np.arange(size) for begin, size, stride in zip(
        *(call.attrs[name] for name in ("begin", "size", "stride")), strict=True)]
    return np.asarray(call.values[0][np.ix_(*cells)].reshape(call.output.shape))


def tile(call: Call) -> Array:
    """The map again and again along each dimension."""
    return np.tile(call.values[0], call.attrs["repeats"])


def gather(call: Call) -> Array:
    """The cells at `indices` along `axis`."""
    taken: Array = call.values[0].take(call.attrs["indices"], call.attrs["axis"])
    return taken.reshape(call.output.shape)


def depth_to_space(call: Call) -> Array:
    """Each pixel becomes a block of pixels with a part of its channels each."""
    (n, h, w, c), b = call.values[0].shape, call.attrs["block"]
    cells = call.values[0].reshape(n, h, w, b, b, c // (b * b))
    return cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, -1)


def space_to_depth(call: Call) -> Array:
    """Each block of pixels becomes a pixel with all their channels."""
    (n, h, w, c), b = call.values[0].shape, call.attrs["block"]
    cells = call.values[0].reshape(n, h // b, b, w // b, b, c)
    return cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


def space_to_batch(call: Call) -> Array:
    """The cells of each place in a block become a batch of their own; padding is real zero. Blocks
    cover the dimensions behind the batch, as many as `block` has sizes."""
    fill, block = 0 if call.is_float else call.output.zero_point, call.attrs["block"]
    rest = call.values[0].ndim - 1 - len(block)
    x = np.pad(call.values[0], ((0, 0), *call.attrs["padding"], *((0, 0),) * rest),
               constant_values=fill)
    cut = [n for size, b in zip(x.shape[1:], block, strict=False) for n in (size // b, b)]
    cells = x.reshape(len(x), *cut, *x.shape[1 + len(block):])
    places = range(2, 1 + 2 * len(block), 2)
    return cells.transpose(*places, 0, *range(1, 2 * len(block), 2),
                           *range(1 + 2 * len(block), cells.ndim)).reshape(call.output.shape)


def batch_to_space(call: Call) -> Array:
    """The batches of the places in a block, woven into one and cropped."""
    x, block = call.values[0], call.attrs["block"]
    count = len(block)
    cells = x.reshape(*block, -1, *x.shape[1:])
    order = [d for i in range(count) for d in (count + 1 + i, i)]
    woven = cells.transpose(count, *order, *range(2 * count + 1, cells.ndim))
    woven = woven.reshape(-1, *(
        size * b for size, b in zip(x.shape[1:], block, strict=False)), *x.shape[1 + count:])
    kept = (slice(before, size - after) for size, (before, after) in zip(
        woven.shape[1:], call.attrs["crops"], strict=False))
    return np.ascontiguousarray(woven[(slice(None), *kept)])


def pack(call: Call) -> Array:
    """Maps of one shape along a new dimension."""
    return np.stack(call.values, axis=call.attrs["axis"])
