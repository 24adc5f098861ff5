# SPDX-License-Identifier: Apache-2.0
"""Names from files and devices: none writes elsewhere, none reaches the terminal raw."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.files.write import place_in
from edgefm.package.read import read_info
from host_tools.cli import main

Edgefm = Callable[..., Any]
EVIL = "\x1b]0;mine\x07\x1b[2J…"
BAD_NAMES = ("", ".", "..", "../x", "a/b", "/x", "a\\b", "C:x", "x\0", "a\nb", "\x1b[2J", "nul",
             "COM1.efm", "x.", "x ", "\u202ex")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_more_than_a_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is not a name for a file on this machine"):
        place_in(tmp_path, name)


@pytest.mark.parametrize("name", ["net.efm", "..net", "größe", "a b", "-x", "console.efm", ".net"])
def test_any_other_name_lies_in_the_folder(tmp_path: Path, name: str) -> None:
    assert place_in(tmp_path, name).parent == tmp_path


class _Device:
    """A device whose files have the names that it likes."""

    name = "liar"

    def get(self, name: str, progress: Any) -> bytes:
        return b"from the device"

    def files(self) -> list[Any]:
        return [type("Stored", (), {"name": name, "bytes": 1}) for name in BAD_NAMES if name]

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_tools.cli.store.open_board", lambda named: _Device())


@pytest.mark.usefixtures("liar")
@pytest.mark.parametrize("name", ["../../x", "..", "/x", "a\\b"])
def test_a_copy_stays_in_its_folder(tmp_path: Path, name: str, edgefm_error: Edgefm,
                                    edgefm: Edgefm) -> None:
    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    assert "is not a name for a file" in edgefm_error("cp", f":{name}", out)
    edgefm("cp", f":{name}", out / "named")  # its name is the user's here
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [out / "named"]
    assert (out / "named").read_bytes() == b"from the device"


@pytest.mark.usefixtures("liar")
def test_names_on_a_device_are_shown_escaped(edgefm: Edgefm, edgefm_json: Edgefm) -> None:
    lines = edgefm("ls").splitlines()
    assert len(lines) == len(BAD_NAMES) - 1 and all(line.isprintable() for line in lines)
    assert any(line.endswith("\\x1b[2J") for line in lines)
    assert {one["name"] for one in edgefm_json("ls")["files"]} == set(BAD_NAMES) - {""}


@pytest.fixture
def evil(model: Path, tmp_path: Path, edgefm: Edgefm) -> Path:
    """A package with class names that would take the terminal over."""
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"{EVIL}{i}" for i in range(4)) + "\n", encoding="utf-8")
    edgefm("compile", model, "-o", tmp_path / "net.efm", "--names", names)
    return tmp_path / "net.efm"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(path)
    return path


def test_class_names_are_shown_escaped_and_kept_in_json(evil: Path, picture: Path, edgefm: Edgefm,
                                                        edgefm_json: Edgefm) -> None:
    assert read_info(evil.read_bytes()).labels[0] == f"{EVIL}0"
    shown = edgefm("run", evil, picture)
    assert "\\x1b]0;mine\\x07\\x1b[2J…" in shown
    assert all(line.isprintable() for line in shown.splitlines())
    assert edgefm_json("run", evil, picture)["top5"][0]["name"].startswith(EVIL)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "latin-1"},
                                         {"PYTHONIOENCODING": "ascii"},
                                         {"LC_ALL": "C", "PYTHONUTF8": "0",
                                          "PYTHONCOERCECLOCALE": "0"}])
def test_no_encoding_ends_in_a_traceback(evil: Path, picture: Path, environment: dict[str, str]
                                         ) -> None:
    for words in (["run", str(evil), str(picture)], ["zoo", "list"], ["--help"], ["export", "-h"],
                  ["run", str(evil), "größe…\x1b.png"]):
        done = subprocess.run([sys.executable, "-m", "host_tools.cli", *words], capture_output=True,
                              env={**os.environ, **environment}, check=False, timeout=60)
        assert b"Traceback" not in done.stderr and b"\x1b" not in done.stdout + done.stderr
        assert done.returncode == (2 if words[-1].endswith("\x1b.png") else 0)


def test_json_is_json_in_every_encoding(evil: Path, picture: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "host_tools.cli", "run", evil, picture, "--json"],
                          capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
                          check=True, timeout=60)
    assert json.loads(done.stdout)["top5"][0]["name"].startswith(EVIL)


def test_an_error_shows_the_name_it_is_about_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "\x1b[31m\r.efm"]) == 2
    assert capfd.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize("name", ["file", "allow_pickle", "a/b", "..\\x", "\x1b", ""])
def test_tensor_names_are_no_paths_in_an_archive(tmp_path: Path, name: str) -> None:
    from host_tools.cli.saving import save_array

    arrays = {name: np.zeros(1), f"{name}_": np.ones(1), "other": np.ones(1)}
    save_array(tmp_path / "out.npz", arrays)
    with np.load(tmp_path / "out.npz") as archive:
        assert len(archive.files) == 3
        assert all(name.isprintable() and not set(name) & set("/\\") for name in archive.files)
