# SPDX-License-Identifier: Apache-2.0
"""Which tensors SqueezeNet and MobileNetV2 have at a given width, by torchvision's names."""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.importers.definitions import SQUEEZENET_LAST_FIRE, SQUEEZENET_POOLS

Shapes = dict[str, tuple[int, ...]]


def squeezenet_shapes(kernel: int, first: int, fires: Sequence[tuple[int, int, int]],
                      classes: int, channels: int = 3) -> Shapes:
    """SqueezeNet 1.0 (kernel 7) or 1.1 (kernel 3).

    `first` counts the first convolution's outputs, `fires` those of squeeze, expand1x1 and
    expand3x3 of the eight fire modules, `channels` the input's.
    """
    places = [i for i in range(2, SQUEEZENET_LAST_FIRE + 1) if i not in SQUEEZENET_POOLS[kernel]]
    shapes = _biased("features.0", first, channels, kernel)
    width = first
    for index, (squeeze, ones, threes) in zip(places, fires, strict=True):
        shapes |= _biased(f"features.{index}.squeeze", squeeze, width, 1)
        shapes |= _biased(f"features.{index}.expand1x1", ones, squeeze, 1)
        shapes |= _biased(f"features.{index}.expand3x3", threes, squeeze, 3)
        width = ones + threes
    return shapes | _biased("classifier.1", classes, width, 1)


def mobilenet_v2_shapes(first: int, blocks: Sequence[tuple[int, int]], last: int,
                        classes: int, channels: int = 3) -> Shapes:
    """MobileNetV2; `blocks` gives (expansion factor, outputs) of its inverted residuals."""
    shapes = _normalized("features.0.0", "features.0.1", (first, channels, 3, 3))
    width = first
    for index, (factor, out) in enumerate(blocks, start=1):
        block, inner = f"features.{index}.conv", width * factor
        at = 0 if factor == 1 else 1
        if at:
            shapes |= _normalized(f"{block}.0.0", f"{block}.0.1", (inner, width, 1, 1))
        shapes |= _normalized(f"{block}.{at}.0", f"{block}.{at}.1", (inner, 1, 3, 3))
        shapes |= _normalized(f"{block}.{at + 1}", f"{block}.{at + 2}", (out, inner, 1, 1))
        width = out
    head = f"features.{len(blocks) + 1}"
    shapes |= _normalized(f"{head}.0", f"{head}.1", (last, width, 1, 1))
    return shapes | {"classifier.1.weight": (classes, last), "classifier.1.bias": (classes,)}


def _biased(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    """A square convolution with a bias."""
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def _normalized(name: str, norm: str, weight: tuple[int, ...]) -> Shapes:
    """A convolution without bias and its batch normalization."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.weight": weight} | {f"{norm}.{part}": weight[:1] for part in parts}
