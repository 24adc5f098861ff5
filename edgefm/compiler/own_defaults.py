# SPDX-License-Identifier: Apache-2.0
"""Uses the preprocessing and the class names that a model file contains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput
from edgefm.images.answers import expect_names
from edgefm.images.preprocess import is_picture, quantize
from edgefm.importers.tflite_metadata import Metadata
from edgefm.network.graph import Graph, Tensor


def with_own_defaults(options: CompileOptions, source: Graph, said: Metadata) -> CompileOptions:
    """The options; the file's own values fill gaps."""
    entry = source.tensors[source.inputs[0]]
    labels = options.labels or _fitting(said.labels, source)
    if options.preprocess is not None or not said.mean or not is_picture(entry.shape):
        return replace(options, labels=labels)
    if _is_raw(entry, said):
        return replace(options, labels=labels)
    return replace(options, labels=labels,
                   preprocess=f"mean={_spelled(said.mean)},std={_spelled(said.std)}")


def _is_raw(entry: Tensor, said: Metadata) -> bool:
    """True if every pixel becomes its own value, which is the default of integer networks."""
    if entry.quant is None or len(set(said.mean)) > 1 or len(set(said.std)) > 1:
        return False
    pixels = np.arange(256)
    values = quantize((pixels - said.mean[0]) / said.std[0], entry).astype(np.int64)
    near = np.abs(values - np.iinfo(entry.dtype).min - pixels).max()
    return bool(near <= 1)  # the files round their means


def _fitting(labels: tuple[str, ...], source: Graph) -> tuple[str, ...]:
    """The labels if there is one for each class of the network, else none."""
    try:
        expect_names(labels, [source.tensors[t].shape for t in source.outputs])
    except BadInput:
        return ()
    return labels


def _spelled(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.9g}" for value in values)
