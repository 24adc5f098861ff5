# SPDX-License-Identifier: Apache-2.0
"""The runtime's C files are found in a checkout and in an installation, or missed with one line."""

import shutil
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.runtime import sources


def test_a_checkout_has_them(root: Path) -> None:
    found = sources.runtime_files()
    assert found["include/edgefm.h"] == (root / "native/include/edgefm.h").read_bytes()
    assert {f"src/{path.relative_to(root / 'native/src').as_posix()}"
            for path in (root / "native/src").rglob("*.[ch]")} <= set(found)


def test_an_installation_has_them_beside_the_package(root: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sources.runtime_files()
    shutil.copytree(root / "native", tmp_path / "installed")
    monkeypatch.setattr(sources, "_PLACES", (tmp_path / "checkout", tmp_path / "installed"))
    assert sources.runtime_files() == expected


def test_without_them_it_says_where_they_should_be(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PLACES", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(BadInput, match="without the runtime's C files; expected them in .*b$"):
        sources.runtime_files()
