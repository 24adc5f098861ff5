# SPDX-License-Identifier: Apache-2.0
"""The networks that a validation compares a package with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.files.read import read_bytes
from edgefm.litert.reference import Reference, available
from edgefm.rate_distortion.divergence import Decision, decision_of, package_of


@dataclass(frozen=True, slots=True)
class Judges:
    """The networks to compare a package with."""

    oracle: bytes | None = field(default=None, repr=False)
    source: Path | None = None
    decisions: tuple[Decision, Decision] | None = None


def judges_of(compiled: Compiled | None, model: Path) -> Judges:
    """TFLite and the float network; for coarser maps the package without them, which has the same
    bits as TFLite and shows its decision."""
    if compiled is None:
        return Judges()
    source = model if compiled.source.is_float() else None
    if compiled.rate is None:
        return Judges(_oracle(compiled, model), source)
    decisions = (decision_of(compiled.graph), decision_of(compiled.uncompressed))
    return Judges(package_of(compiled.uncompressed), None, decisions)


def _oracle(compiled: Compiled, model: Path) -> bytes | None:
    """The quantized network for TFLite: its own file, or our export if that cannot be read."""
    if not available():
        return None
    if model.suffix.lower() == ".tflite" and not compiled.source.is_float():
        original = read_bytes(model)
        try:
            with Reference(original):
                return original
        except BadInput:  # a file that edgefm reads and TFLite refuses
            pass
    return export_tflite(compiled.uncompressed)
