# SPDX-License-Identifier: Apache-2.0
"""Errors of single layers: raised as they come, or kept, so that a person hears of all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edgefm.errors import BadInput


@dataclass(slots=True)
class Faults:
    """What is wrong with the layers of one file, where `kept` says to go on after an error.

    `unseen` counts layers that could not be checked, as the shapes of their inputs are not known.
    """

    kept: bool = False
    unseen: int = 0
    found: list[BadInput] = field(default_factory=list)

    @contextmanager
    def of_layer(self) -> Iterator[None]:
        """A block that reads one layer: its error is raised, or kept and the block left."""
        try:
            yield
        except BadInput as error:
            if not self.kept:
                raise
            self.found.append(error)
