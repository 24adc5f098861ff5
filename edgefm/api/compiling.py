# SPDX-License-Identifier: Apache-2.0
"""`edgefm.compile`, `edgefm.plan` and `edgefm.diff`: they take a model and keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from edgefm.api.keywords import CompileKeywords, PathLike, model_path, read_options, shows_keywords
from edgefm.api.opened import HasPackage, Source, package_bytes
from edgefm.api.progress import Progress, Steps, quantizing_runs
from edgefm.api.summary import PlanSummary
from edgefm.api.words import in_keywords
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.compiler.plan_fields import compiled_fields, package_fields
from edgefm.errors import BadInput
from edgefm.evaluate.diff import DiffResult, diff_model, random_inputs
from edgefm.images.answers import expect_names
from edgefm.network.graph import Array
from edgefm.package.read import read_info


@shows_keywords
@in_keywords()
def compile(model: PathLike, *, progress: Progress | None = None,
                    **keywords: Unpack[CompileKeywords]) -> Compiled:
    """Compile a .tflite, .onnx or .npz file to a package: `.package` (bytes), `.save("net.efm")`.

    `progress(done, total, what)` is called after every step: `done` of `total` steps are done, and
    `what` runs now. Each run of a float network during quantization is a step; everything after
    quantization is one more step. An exception from `progress` ends the compilation.

    Raises BadInput or UnsupportedModel for a file or an argument that cannot be used, Infeasible
    when no plan fits the memory.
    """
    path = model_path(model)
    options = read_options(path, keywords)
    compiled = _compiled(path, options, progress)
    graph = compiled.graph
    expect_names(options.labels, [graph.tensors[t].shape for t in graph.outputs])
    return compiled


@shows_keywords
@in_keywords()
def plan(net: Source, *, progress: Progress | None = None,
                 **keywords: Unpack[CompileKeywords]) -> PlanSummary:
    """The memory and traffic that a model would need, or that a package needs.

    `net` is the path of a model, or a package: the path of an .efm, its bytes, or the result of
    `edgefm.compile`. A package takes no keywords. `progress` and errors are those of
    `edgefm.compile`.
    """
    if not is_model(net):
        if keywords:
            raise BadInput(f"edgefm.plan: got {', '.join(keywords)} for a package, which is "
                           "already planned; expected a model")
        data, name = package_bytes(net)
        info = read_info(data, name or "package")
        return PlanSummary(info, {**info.plan, **package_fields(info.plan)}, data)
    path = model_path(net)
    options = read_options(path, keywords, pictures=False)
    compiled = _compiled(path, options, progress)
    return PlanSummary(read_info(compiled.package, str(path)), {
        **compiled.plan.to_json(), **compiled_fields(compiled, options)}, compiled.package)


@shows_keywords
@in_keywords()
def diff(model: PathLike, inputs: Sequence[Sequence[Array]] | int = 1,
                 **keywords: Unpack[CompileKeywords]) -> DiffResult:
    """Compile a model and compare every tensor with TFLite's reference kernels (or with NumPy, if
    they are not installed). `.first_difference` is None when all bits are the same.

    `inputs` is a sequence of inputs, each a list of arrays that the package takes, or the number of
    random inputs to try. Errors are those of `edgefm.compile`.
    """
    path = model_path(model)

    def values(compiled: Compiled) -> Sequence[Sequence[Array]]:
        if isinstance(inputs, int):
            return [random_inputs(compiled.graph, seed) for seed in range(inputs)]
        return inputs

    return diff_model(path, read_options(path, keywords, pictures=False), values)


def is_model(net: Source) -> bool:
    """True for a path that does not name a package."""
    packed = isinstance(net, (bytes, bytearray, memoryview, HasPackage))
    return not packed and not os.fspath(model_path(net)).lower().endswith(".efm")


def _compiled(path: Path, options: CompileOptions, progress: Progress | None) -> Compiled:
    steps = Steps(progress, quantizing_runs(path, options) if progress else 0)
    model = load_model(path, options, steps.ran)
    steps.plan()
    compiled = compile_loaded(model, options, steps.ran)
    steps.end()
    return compiled
