# SPDX-License-Identifier: Apache-2.0
"""Converts the keyword arguments of `compile`, `plan` and `diff` into the compiler's options."""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from edgefm.compiler.coded_weights import RAW
from edgefm.compiler.options import CompileOptions, LossBudget, Memory, Quality, Temporal
from edgefm.compiler.zoo_defaults import with_zoo_defaults
from edgefm.console.notation import read_size
from edgefm.errors import BadInput
from edgefm.images.labels import read_names
from edgefm.rate_distortion.points_per_nat import read_per_nat

Group = TypeVar("Group", LossBudget, Memory, Quality, Temporal)
Function = TypeVar("Function", bound=Callable[..., Any])
PathLike = str | os.PathLike[str]


class CompileKeywords(TypedDict, total=False):
    """How a model becomes a package; every keyword is optional.

    `fast`, `external`: sizes of memory in bytes or as "96K". `memory`: the same, with a target.
    `calib`: a folder of typical pictures or .npy files, for float networks, learned codecs and
    budgets. `preprocess`: raw, tf, torchvision, caffe or "mean=…,std=…,order=…" (pixel units).
    `geometry`: crop, stretch or letterbox. `codec`: for maps in external memory: raw, lossless or
    an id. `weight_codec`: for weights: raw, auto, huffman or packed. `weights`: mapped or port,
    where they lie. `package`: the most bytes of the package. `objective`: cost, maps, bytes, time
    or energy. `cut`: auto, ops, blocks, or names of tensors. `recompute`: how many times the
    multiply-adds a plan may take that makes columns twice, where no other fits. `budget`,
    `quality`, `temporal`: what may be lost. `tables`: an .npz of trained codecs. `names`: the
    classes, as a list or a file with one per line. `input_shape`: the shape of an ONNX input whose
    sizes the file leaves open, in the file's order.
    """

    fast: int | str | None
    external: int | str | None
    memory: Memory | None
    calib: PathLike | None
    preprocess: str | None
    geometry: str | None
    codec: str | None
    weight_codec: str
    weights: str | None
    package: int | str | None
    objective: str
    cut: str | Sequence[str]
    recompute: float | None
    budget: LossBudget | None
    quality: Quality | str | None
    temporal: Temporal | None
    tables: PathLike | None
    names: PathLike | Sequence[str] | None
    input_shape: Sequence[int] | None


def read_options(model: Path, given: CompileKeywords, pictures: bool = True) -> CompileOptions:
    """The compiler's options for these keywords; a model of the zoo has its own defaults.

    Without `pictures` no preprocessing is required. Raises TypeError for an unknown keyword, as
    Python does, and BadInput for a value of the wrong kind or out of range.
    """
    unknown = [name for name in given if name not in CompileKeywords.__annotations__]
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; expected some of "
                        f"{', '.join(CompileKeywords.__annotations__)}")
    options = CompileOptions(
        calib=_path(given, "calib"), preprocess=_text(given, "preprocess"),
        geometry=_text(given, "geometry"), codec=_text(given, "codec"),
        weight_codec=_text(given, "weight_codec") or RAW,
        weights=_text(given, "weights"), package=_package(given),
        objective=_text(given, "objective") or "cost", cut=_cut(given.get("cut")),
        recompute=_times(given.get("recompute")),
        tables=_path(given, "tables"), labels=_names(given.get("names")), pictures=pictures,
        input_shape=_shape(given.get("input_shape")))
    for add in (_with_memory, _with_budget, _with_quality, _with_temporal):
        options = add(options, given)
    return with_zoo_defaults(options, model)


def model_path(model: object) -> Path:
    """The path of a model. Raises BadInput for anything else."""
    if not isinstance(model, (str, os.PathLike)):
        raise BadInput(f"model: got {type(model).__name__}, expected the path of a .tflite, .onnx "
                       "or .npz file")
    return Path(model)


def _with_memory(options: CompileOptions, given: CompileKeywords) -> CompileOptions:
    told = _group(given.get("memory"), "memory", Memory) or Memory()
    for name in ("fast", "external"):
        if given.get(name) is not None and getattr(told, name) is not None:
            raise BadInput(f"{name}: got it twice, also in {told}; expected it once")
    plain = Memory(given.get("fast"), given.get("external"))
    fast, external = (_whole(one if one is not None else other) for one, other in (
        (plain.fast, told.fast), (plain.external, told.external)))
    return replace(options, fast=fast, external=external,
                   target=None if told.target is None else str(told.target),
                   packing=told.packing)


def _with_budget(options: CompileOptions, given: CompileKeywords) -> CompileOptions:
    told = _group(given.get("budget"), "budget", LossBudget)
    if told is None:
        return options
    return replace(options, kl_budget=told.kl, accuracy_budget=told.points,
                   byte_budget=_whole(told.bytes), mean_byte_budget=_whole(told.mean_bytes),
                   rate_rule=told.rule, transform=told.transform, coarsen=told.coarsen,
                   points_per_nat=read_per_nat(Path(told.measured)) if told.measured else None)


def _with_quality(options: CompileOptions, given: CompileKeywords) -> CompileOptions:
    told = given.get("quality")
    quality = Quality(told) if isinstance(told, str) else _group(told, "quality", Quality)
    return options if quality is None else replace(options, quality=quality.kind,
                                                   tile=quality.tile)


def _with_temporal(options: CompileOptions, given: CompileKeywords) -> CompileOptions:
    told = _group(given.get("temporal"), "temporal", Temporal)
    return options if told is None else replace(
        options, codec=options.codec or "temporal", tolerance=told.tolerance, refresh=told.refresh)


def _group(given: object, name: str, kind: type[Group]) -> Group | None:
    if given is not None and not isinstance(given, kind):
        raise BadInput(f"{name}: got {given!r:.60}, expected edgefm.{kind.__name__}(…)")
    return given


def _whole(size: int | str | None) -> int | None:
    """A size that `Memory` has already parsed."""
    return None if size is None else int(size)


def _package(given: CompileKeywords) -> int | None:
    size = given.get("package")
    return None if size is None else read_size(size, "package")


def _text(given: CompileKeywords, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{name}: got {value!r:.60}, expected text")
    return value


def _path(given: CompileKeywords, name: str) -> Path | None:
    value = given.get(name)
    if value is not None and not isinstance(value, (str, os.PathLike)):
        raise BadInput(f"{name}: got {value!r:.60}, expected a path")
    return None if value is None else Path(value)


def _times(given: object) -> float | None:
    if given is not None and (isinstance(given, bool) or not isinstance(given, int | float)):
        raise BadInput(f"recompute: got {given!r:.60}, expected a number from 1 on")
    return given


def _cut(cut: str | Sequence[str] | None) -> str:
    return ("auto" if cut is None else cut) if isinstance(cut, str | None) else ",".join(
        map(str, cut))


def _names(names: PathLike | Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(names, (str, os.PathLike)):
        return read_names(Path(names))
    return tuple(map(str, names or ()))


def _shape(given: Sequence[int] | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        shape = tuple(operator.index(size) for size in given)
    except TypeError:
        shape = ()
    if not 1 <= len(shape) <= 8 or min(shape) < 1:
        raise BadInput(f"input_shape: got {given!r:.60}, expected sizes from 1 up, such as "
                       "(1, 3, 224, 224)")
    return shape


def shows_keywords(function: Function) -> Function:
    """Show `help` and notebooks the names and meanings of the keywords."""
    shown = inspect.signature(function)
    plain = [one for one in shown.parameters.values() if one.kind != one.VAR_KEYWORD]
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None,
                               annotation=kind.__forward_arg__)
             for name, kind in CompileKeywords.__annotations__.items()]
    function.__signature__ = shown.replace(  # type: ignore[attr-defined]
        parameters=[*plain, *named])
    function.__doc__ = f"{function.__doc__}\n    {CompileKeywords.__doc__}"
    return function
