# SPDX-License-Identifier: Apache-2.0
"""`edgefm.validate`: accuracy and traffic of a package or a model on labeled files."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from edgefm.api.compiling import compile, is_model
from edgefm.api.keywords import CompileKeywords, PathLike, model_path, shows_keywords
from edgefm.api.opened import Source, package_bytes
from edgefm.api.progress import Progress
from edgefm.api.words import in_keywords
from edgefm.errors import BadInput
from edgefm.evaluate.executors import executor
from edgefm.evaluate.validate import TASKS, Validation, divided, make_units, task_of
from edgefm.evaluate.validate import validate as validate_units
from edgefm.evaluate.validate.files import labeled_files
from edgefm.evaluate.validate.judges import Judges, judges_of
from edgefm.images.clipping import warn_of_clipped
from edgefm.package.read import read_info
from edgefm.package.traffic import stored_maps
from edgefm.runtime.lending import whole_number

_MOST = 1 << 20  # views, files and processes


@shows_keywords
@in_keywords()
def validate(net: Source, images: PathLike, labels: PathLike, *, task: str | None = None,
                     views: int = 1, limit: int | None = None, workers: int | None = None,
                     threads: int | None = None, progress: Progress | None = None,
                     **keywords: Unpack[CompileKeywords]) -> Validation:
    """Measure the accuracy of a package, or of a model that it compiles first, on labeled files.

    `images` is the folder of the files. `labels` is a CSV file (file,label), or boxes or masks as
    docs/DESIGN.md describes them. `task` is classify, detect or segment (default: the one that the
    outputs fit). Every file is run in `views` views. `limit` takes that many files at most, spread
    evenly. `workers` is the number of processes (default: one per core), `threads` is for each
    inference (default: one, or for few files all cores that have no process). A model is also
    compared with TFLite and with the float network; a package is not. `progress(done, total, what)`
    gets the number of files that are done.

    Raises BadInput for files, labels or arguments that cannot be used.
    """
    if task is not None and task not in TASKS:
        raise BadInput(f"task: got {task!r:.60}, expected one of {', '.join(TASKS)}")
    for word, value in (("views", views), ("limit", limit), ("workers", workers)):
        if value is not None:
            whole_number(value, 1, _MOST, word)
    data, name, judges = _judged(net, progress, keywords)
    info = read_info(data, name)
    kind = task or task_of([t.shape for t in info.outputs], info.inputs[0].shape)
    files = labeled_files(Path(labels), Path(images), kind, info.labels, limit)
    warn_of_clipped([file.path for file in files], info.inputs[0], Path(images))
    shared = divided(len(files), workers, threads)
    units = make_units(files, data, judges.oracle, judges.source if kind == "classify" else None,
                       kind, views, judges.decisions, shared.threads)
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, len(files), "validate")

    with executor(None, shared.workers) as pool:
        return validate_units(units, pool, told, stored_maps(info))


def _judged(net: Source, progress: Progress | None, keywords: CompileKeywords
            ) -> tuple[bytes, str, Judges]:
    """The package, its name for messages, and what to compare it with."""
    if is_model(net):
        path = model_path(net)
        compiled = compile(path, progress=progress, **keywords)
        return compiled.package, str(path), judges_of(compiled, path)
    if keywords:
        raise BadInput(f"edgefm.validate: got {', '.join(keywords)} for a package, which is "
                       "already compiled; expected a model")
    data, name = package_bytes(net)
    return data, name or "package", Judges()
