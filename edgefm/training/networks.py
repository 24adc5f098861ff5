# SPDX-License-Identifier: Apache-2.0
"""SqueezeNet and MobileNetV2 in torch, as functions of a state dict with torchvision's names.

Parameters are a plain dict, name -> tensor: what is trained is, name by name, what is saved and
what `edgefm.importers.npz` reads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as tnf

from edgefm.importers.definitions import (
    BATCH_NORM_EPSILON,
    MOBILENET_V2_STRIDES,
    SQUEEZENET_LAST_FIRE,
    SQUEEZENET_POOLS,
)
from edgefm.training.shapes import Shapes

Parameters = dict[str, torch.Tensor]

BATCH_NORM_MOMENTUM = 0.1
STATISTICS = ("running_mean", "running_var")


def initialize(shapes: Shapes, seed: int) -> Parameters:
    """Random weights (He: variance 2 / fan-in), unit normalization, zero biases."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _initial(name, shape, generator) for name, shape in shapes.items()}


def _initial(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    if len(shape) == 1:
        ones = name.endswith(("weight", "running_var"))
        return torch.ones(shape) if ones else torch.zeros(shape)
    fan_in = math.prod(shape[1:])
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in)


def squeezenet(p: Parameters, x: torch.Tensor, training: bool = False) -> torch.Tensor:
    """Logits [N, classes] of images [N, C, H, W]."""
    kernel = p["features.0.weight"].shape[2]
    x = tnf.relu(tnf.conv2d(x, p["features.0.weight"], p["features.0.bias"], stride=2))
    for index in range(2, SQUEEZENET_LAST_FIRE + 1):
        if index in SQUEEZENET_POOLS[kernel]:
            x = tnf.max_pool2d(x, 3, 2, ceil_mode=True)
        else:
            x = _fire(p, f"features.{index}", x)
    x = tnf.dropout(x, 0.5, training)
    x = tnf.relu(tnf.conv2d(x, p["classifier.1.weight"], p["classifier.1.bias"]))
    return x.mean((2, 3))


def _fire(p: Parameters, block: str, x: torch.Tensor) -> torch.Tensor:
    squeezed, *expanded = (f"{block}.{part}" for part in ("squeeze", "expand1x1", "expand3x3"))
    x = tnf.relu(tnf.conv2d(x, p[f"{squeezed}.weight"], p[f"{squeezed}.bias"]))
    sides = (tnf.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding="same")
             for name in expanded)
    return tnf.relu(torch.cat(tuple(sides), 1))


def mobilenet_v2(p: Parameters, x: torch.Tensor, training: bool = False) -> torch.Tensor:
    """Logits [N, classes] of images [N, C, H, W]; training updates the running statistics."""
    x = tnf.relu6(_conv_bn(p, "features.0.0", "features.0.1", x, training, stride=2))
    for index, stride in enumerate(MOBILENET_V2_STRIDES, start=1):
        x = _inverted_residual(p, f"features.{index}.conv", x, stride, training)
    last = f"features.{len(MOBILENET_V2_STRIDES) + 1}"
    x = tnf.relu6(_conv_bn(p, f"{last}.0", f"{last}.1", x, training))
    x = tnf.dropout(x.mean((2, 3)), 0.2, training)
    return tnf.linear(x, p["classifier.1.weight"], p["classifier.1.bias"])


def _inverted_residual(p: Parameters, block: str, x: torch.Tensor, stride: int,
                       training: bool) -> torch.Tensor:
    y, at = x, 0
    if p[f"{block}.0.0.weight"].shape[2] == 1:
        y, at = tnf.relu6(_conv_bn(p, f"{block}.0.0", f"{block}.0.1", x, training)), 1
    y = _conv_bn(p, f"{block}.{at}.0", f"{block}.{at}.1", y, training, stride, y.shape[1])
    y = _conv_bn(p, f"{block}.{at + 1}", f"{block}.{at + 2}", tnf.relu6(y), training)
    return x + y if stride == 1 and x.shape == y.shape else y


def _conv_bn(p: Parameters, name: str, norm: str, x: torch.Tensor, training: bool,
             stride: int = 1, groups: int = 1) -> torch.Tensor:
    weight = p[f"{name}.weight"]
    y = tnf.conv2d(x, weight, None, stride, weight.shape[2] // 2, 1, groups)
    mean, variance = (p[f"{norm}.{part}"] for part in STATISTICS)
    return tnf.batch_norm(y, mean, variance, p[f"{norm}.weight"], p[f"{norm}.bias"], training,
                          BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON)
