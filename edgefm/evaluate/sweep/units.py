# SPDX-License-Identifier: Apache-2.0
"""A sweep's units of work, the keys of their results, and the folder that keeps them.

A key is the SHA-256 of everything that a result depends on: contents of files, options, version.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgefm.compiler.calibration import calibration_files
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.validate import Labeled, Outcome, Unit
from edgefm.files.read import parse_json, read_bytes
from edgefm.files.write import make_folder, write_file
from edgefm.images.annotations import MaskedFile
from edgefm.network.graph import Quant, Tensor
from edgefm.rate_distortion.divergence import Decision, decision_of, package_of


@dataclass(frozen=True, slots=True)
class CompileUnit:
    """An integer network's file, and how to compile it for one point of the curve."""

    key: str
    model: Path
    options: CompileOptions


@dataclass(frozen=True, slots=True)
class CompiledPoint:
    """The package, the one without coarser maps, where both hold their decisions, and the rate."""

    package: bytes = field(repr=False)
    reference: bytes
    decisions: tuple[Decision, Decision]
    rate: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JudgeUnit:
    """Some files of one point."""

    key: str
    point: str
    unit: Unit


def compile_point(unit: CompileUnit) -> CompiledPoint:
    """Compile; a pure function of the unit and of the files it names."""
    compiled = compile_loaded(load_model(unit.model, unit.options), unit.options)
    decisions = (decision_of(compiled.graph), decision_of(compiled.uncompressed))
    rate = json.loads(json.dumps(compiled.rate.to_json())) if compiled.rate else None
    return CompiledPoint(compiled.package, package_of(compiled.uncompressed), decisions, rate)


def compile_unit(model: Path, options: CompileOptions) -> CompileUnit:
    """The unit with its key. Raises BadInput when the calibration files cannot be read."""
    files = calibration_files(options.calib, str(model))
    described = [version("edgefm"), digest(read_bytes(model)),
                 repr(replace(options, calib=None, target=None)), _target(options.target),
                 *(f"{path.name} {digest(read_bytes(path))}" for path in files)]
    return CompileUnit(digest(json.dumps(described).encode()), model, options)


def _target(name: str | None) -> str:
    """A target's file counts by what it holds, a built-in one by its name."""
    return digest(read_bytes(name)) if name and os.path.isfile(name) else str(name)


def judge_unit(point: str, unit: Unit) -> JudgeUnit:
    """The unit with its key."""
    described: list[object] = [version("edgefm"), digest(unit.package), digest(unit.oracle or b""),
                               unit.task, unit.views, unit.first]
    for file in unit.files:
        described += [digest(read_bytes(file.path)), _label(file)]
    return JudgeUnit(digest(json.dumps(described).encode()), point, unit)


def _label(file: Labeled) -> object:
    if isinstance(file, MaskedFile):
        return digest(read_bytes(file.mask))
    return {**asdict(file), "path": ""}


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class ResultStore:
    """Results by key in a folder; each file appears complete or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    def path(self, name: str) -> Path:
        """Where something is kept."""
        return self._folder / name

    def put(self, name: str, data: bytes) -> None:
        """Keep something."""
        write_file(self.path(name), data)

    def get(self, name: str) -> bytes | None:
        """What is kept, None when it is not there."""
        path = self.path(name)
        return read_bytes(path) if os.path.lexists(path) else None

    def put_compiled(self, key: str, made: CompiledPoint) -> None:
        """Keep a compiled point; the description last, so that it finds the rest."""
        self.put(f"{key}.efm", made.package)
        self.put(f"{digest(made.reference)}.efm", made.reference)
        described = {"reference": digest(made.reference), "rate": made.rate,
                     "decisions": [_decision_to_json(d) for d in made.decisions]}
        self.put(f"{key}.json", json.dumps(described).encode())

    def get_compiled(self, key: str) -> CompiledPoint | None:
        """A compiled point, None when it has to be compiled."""
        described = self._json(key)
        if described is None:
            return None
        package, reference = self.get(f"{key}.efm"), self.get(f"{described['reference']}.efm")
        if package is None or reference is None:
            return None
        ours, judges = (_decision_from_json(d) for d in described["decisions"])
        return CompiledPoint(package, reference, (ours, judges), described["rate"])

    def put_outcomes(self, key: str, outcomes: Sequence[Outcome]) -> None:
        """Keep what a judge unit gave."""
        self.put(f"{key}.json", json.dumps([asdict(outcome) for outcome in outcomes]).encode())

    def get_outcomes(self, key: str) -> tuple[Outcome, ...] | None:
        """What a judge unit gave, None when it has to run."""
        kept = self._json(key)
        return None if kept is None else tuple(Outcome(**outcome) for outcome in kept)

    def _json(self, key: str) -> Any:
        data = self.get(f"{key}.json")
        try:
            return None if data is None else parse_json(data)
        except ValueError:
            raise BadInput(f"{self.path(key)}.json: damaged; delete it and go on") from None


def _decision_to_json(decision: Decision) -> dict[str, Any]:
    def tensor(one: Tensor | None) -> list[Any] | None:
        return None if one is None else [
            one.name, list(one.shape), one.dtype,
            one.quant and [list(one.quant.scale), list(one.quant.zero_point)]]

    return {"graph": decision.graph, "scores": tensor(decision.scores),
            "offsets": tensor(decision.offsets), "logits": decision.logits,
            "skipped": decision.skipped}


def _decision_from_json(fields: Mapping[str, Any]) -> Decision:
    def tensor(one: Sequence[Any]) -> Tensor:
        name, shape, dtype, quant = one
        return Tensor(name, tuple(shape), dtype, quant and Quant(tuple(quant[0]), tuple(quant[1])))

    return Decision(fields["graph"], tensor(fields["scores"]),
                    fields["offsets"] and tensor(fields["offsets"]), fields["logits"],
                    fields["skipped"])
