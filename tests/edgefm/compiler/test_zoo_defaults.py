# SPDX-License-Identifier: Apache-2.0
"""A public model brings its preprocessing along; what was said stays said."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edgefm import zoo
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.zoo_defaults import with_zoo_defaults
from edgefm.errors import BadInput


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the zoo knows, and class names in its cache."""
    path, names = tmp_path / "net.tflite", b"cat\ndog\n"
    path.write_bytes(b"a network")
    monkeypatch.setenv("EDGEFM_CACHE", str(tmp_path))
    (tmp_path / "names.txt").write_bytes(names)
    asset = zoo.Asset("names.txt", len(names), hashlib.sha256(names).hexdigest(), "")
    model = zoo.Asset(path.name, 9, hashlib.sha256(b"a network").hexdigest(), "")
    entry = replace(zoo.ENTRIES[0], preprocess="tf", geometry="stretch", labels=asset, model=model)
    monkeypatch.setattr(zoo, "ENTRIES", (entry,))
    return path


def test_gaps_are_filled(known: Path) -> None:
    assert with_zoo_defaults(CompileOptions(fast=1), known) == CompileOptions(
        fast=1, preprocess="tf", geometry="stretch", labels=("cat", "dog"))


def test_what_was_said_stays(known: Path) -> None:
    said = CompileOptions(preprocess="raw", geometry="crop", labels=("a",))
    assert with_zoo_defaults(said, known) == said


def test_other_files_get_nothing_and_missing_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"another")
    assert with_zoo_defaults(CompileOptions(), tmp_path / "x.tflite") == CompileOptions()
    with pytest.raises(BadInput, match="no such file"):
        with_zoo_defaults(CompileOptions(), tmp_path / "nothing.tflite")
