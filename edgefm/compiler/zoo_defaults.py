# SPDX-License-Identifier: Apache-2.0
"""A public model comes with its preprocessing and class names: the user need not give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgefm import zoo
from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput
from edgefm.images.labels import read_names


def with_zoo_defaults(options: CompileOptions, model: Path) -> CompileOptions:
    """The options; a model of the zoo fills gaps with its own values. Raises BadInput when the file
    cannot be read."""
    entry = zoo.recognize(model)
    if entry is None:
        return options
    return replace(options, preprocess=options.preprocess or entry.preprocess,
                   geometry=options.geometry or entry.geometry,
                   labels=options.labels or _names(entry))


def _names(entry: zoo.Entry) -> tuple[str, ...]:
    """The entry's class names, if they are available without a download."""
    try:
        return read_names(zoo.get(replace(entry.labels, url=""))) if entry.labels else ()
    except BadInput:
        return ()
