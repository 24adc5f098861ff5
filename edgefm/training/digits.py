# SPDX-License-Identifier: Apache-2.0
"""Trains the two bundled networks on the digits: `python -m edgefm.training.digits [NAME]`.

Writes `edgefm/demo/NAME.npz` (float16, torchvision's names) and prints the accuracy of what was
written on the held-out split. One thread and fixed seeds: a run takes a few minutes and gives
the same weights again on the same machine and torch version.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as tnf

from edgefm.console.terminal import say
from edgefm.demo.bundled import IMAGE_SIZE, Images, demo_models, digits
from edgefm.files.write import writing
from edgefm.training import networks
from edgefm.training.shapes import Shapes, mobilenet_v2_shapes, squeezenet_shapes

Network = Callable[[networks.Parameters, torch.Tensor, bool], torch.Tensor]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train and how long."""

    network: Network
    shapes: Shapes
    epochs: int
    rate: float
    seed: int = 1
    batch: int = 32
    decay: float = 1e-4


def recipe(name: str) -> TrainingPlan:
    """The recipe of a bundled network: the published layout with few channels."""
    if name == "digits_squeezenet":
        fires = [(4 * n, 16 * n, 16 * n) for n in (1, 1, 2, 2, 3, 3, 4, 4)]
        return TrainingPlan(networks.squeezenet, squeezenet_shapes(3, 16, fires, 10, 1), 80, 3e-3)
    widths = (8, 8, 8, 8, 8, 8, 8, 8, 8, 12, 12, 12, 16, 16, 16, 24)
    blocks = [(1, 8), *((6, width) for width in widths)]
    return TrainingPlan(networks.mobilenet_v2, mobilenet_v2_shapes(8, blocks, 96, 10, 1), 36, 1e-2)


def train(plan: TrainingPlan, images: Images, labels: torch.Tensor) -> networks.Parameters:
    """Train on every image, moved and bent a little each time; returns float32 parameters."""
    torch.manual_seed(plan.seed)
    parameters = networks.initialize(plan.shapes, plan.seed)
    learned = [tensor.requires_grad_() for name, tensor in parameters.items()
               if not name.endswith(networks.STATISTICS)]
    optimizer = torch.optim.AdamW(learned, lr=plan.rate, weight_decay=plan.decay)
    rounds = len(images) // plan.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate,
                                                   total_steps=plan.epochs * rounds)
    inputs = normalize(images)
    for _ in range(plan.epochs):
        for chosen in torch.randperm(len(images))[:rounds * plan.batch].split(plan.batch):
            logits = plan.network(parameters, distort(inputs[chosen]), True)
            loss = tnf.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: tensor.detach() for name, tensor in parameters.items()}


def normalize(images: Images) -> torch.Tensor:
    """uint8 [N, H, W, 1] -> [N, 1, H, W] in [-1, 1] (the preprocessing called `tf`)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def distort(batch: torch.Tensor) -> torch.Tensor:
    """Shift by up to 8 pixels, rotate, scale and shear a little, each image differently."""
    count = len(batch)
    angle = (torch.rand(count) - 0.5) * (math.pi / 9)
    scale = 1 + (torch.rand(count, 2) - 0.5) * 0.3
    shear = (torch.rand(count) - 0.5) * 0.4
    move = (torch.rand(count, 2) - 0.5) * 0.5
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack((torch.stack((cos * scale[:, 0], shear - sin, move[:, 0]), 1),
                        torch.stack((sin, cos * scale[:, 1], move[:, 1]), 1)), 1)
    grid = tnf.affine_grid(rows, list(batch.shape), align_corners=False)
    return tnf.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def accuracy(plan: TrainingPlan, parameters: networks.Parameters, images: Images,
             labels: torch.Tensor) -> float:
    """Percentage of images whose largest logit is the label's."""
    with torch.no_grad():
        logits = plan.network(parameters, normalize(images), False)
    return 100 * float((logits.argmax(1) == labels).float().mean())


def save(path: Path, parameters: networks.Parameters) -> networks.Parameters:
    """Write the weights as float16; returns them as they were written."""
    halves = {name: tensor.half() for name, tensor in parameters.items()}
    arrays = {name: tensor.numpy() for name, tensor in halves.items()}
    size = np.array((IMAGE_SIZE, IMAGE_SIZE), np.int32)
    with writing(path) as file:
        np.savez_compressed(file, **{"edgefm.input_size": size, **arrays})
    return {name: tensor.float() for name, tensor in halves.items()}


def main(names: list[str]) -> None:
    """Train the named bundled networks, or all of them."""
    torch.set_num_threads(1)
    images, labels = digits("train")
    unseen, answers = digits("held_out")
    for model in demo_models():
        if names and model.name not in names:
            continue
        plan = recipe(model.name)
        written = save(model.weights, train(plan, images, torch.from_numpy(labels)))
        reached = accuracy(plan, written, unseen, torch.from_numpy(answers))
        say(f"{model.name}: {reached:.2f} % of {len(unseen)} held-out digits, "
            f"{model.weights.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
