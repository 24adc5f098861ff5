# SPDX-License-Identifier: Apache-2.0
"""`import edgefm` costs nothing, and shows what there is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import edgefm

HEAVY = ("numpy", "PIL", "cffi", "edgefm.errors", "edgefm.compiler", "importlib.metadata",
         "host_tools")


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                             check=True)
    return set(printed.stdout.split())


def test_import_edgefm_imports_nothing_heavy() -> None:
    plain, with_us = modules_after("pass"), modules_after("import edgefm; dir(edgefm)")
    assert not [name for name in HEAVY if name in with_us - plain]


def test_opening_a_package_does_not_import_the_compiler() -> None:
    assert not modules_after("import edgefm; edgefm.open") & {
        "edgefm.compiler.pipeline", "edgefm.quantization.choose", "edgefm.importers.tflite"}


@pytest.mark.parametrize("name", edgefm.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert name in dir(edgefm) and getattr(edgefm, name).__doc__


def test_the_version_is_the_projects(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert edgefm.__version__ == project["version"]


def test_functions_and_packages_do_not_collide() -> None:
    import edgefm.compiler.pipeline
    import edgefm.evaluate.diff
    import edgefm.evaluate.validate
    import edgefm.planner
    assert all(callable(getattr(edgefm, name)) for name in ("compile", "plan", "open", "diff",
                                                            "validate"))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'compress'"):
        edgefm.compress  # noqa: B018
