# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all, and nothing that matters is written over."""

import os
import re
import resource
import socket
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.files import write
from edgefm.files.write import (
    check_file,
    check_folder,
    make_folder,
    write_file,
    writing,
    writing_text,
)


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_file_is_written_and_nothing_beside_it(tmp_path: Path) -> None:
    write_file(tmp_path / "new", b"one")
    write_file(tmp_path / "new", "zwölf")
    assert everything(tmp_path) == {"new": "zwölf".encode()}


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "new", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o751)
    write_file(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o751)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("far/target")
    write_file(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new" and not target.is_symlink()


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(143)])
def test_what_interrupts_leaves_the_old_file_and_nothing_else(tmp_path: Path,
                                                              error: BaseException) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(type(error)), writing(tmp_path / "old") as file:
        file.write(b"half")
        raise error
    assert everything(tmp_path) == {"old": b"old"}


def test_a_process_that_ends_at_once_takes_its_halves_away(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"), writing(tmp_path / "new") as file:
        file.write(b"half")
        write.abandon()
        assert everything(tmp_path) == {}
    assert everything(tmp_path) == {}


class NoSpace:
    """As many bytes as a file may still take in this process."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._old[1]))

    def __exit__(self, *error: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._old)


def _archive(file) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", bytes(1 << 20))


@pytest.mark.parametrize("write", [
    lambda file: file.write(bytes(1 << 20)), lambda file: np.savez(file, a=np.zeros(1 << 18)),
    _archive], ids=["bytes", "npz", "zip"])
def test_a_file_that_finds_no_room_is_named_and_leaves_nothing(tmp_path: Path, write) -> None:
    path = tmp_path / "big"
    with NoSpace(4096), pytest.raises(BadInput, match=f"^{path}: cannot be written: File too"), \
            writing(path) as file:
        write(file)
    assert everything(tmp_path) == {}


def test_a_full_disk_is_told_by_the_file(tmp_path: Path, monkeypatch) -> None:
    def full(descriptor: int, place: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_keep_permissions", full)
    with pytest.raises(BadInput, match=f"^{tmp_path / 'new'}: cannot be written: No space left"):
        write_file(tmp_path / "new", b"1")
    assert everything(tmp_path) == {}


def test_an_input_that_fails_while_a_file_is_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as found, writing(tmp_path / "new"):
        (tmp_path / "input").read_bytes()
    assert found.value.filename == str(tmp_path / "input")
    assert everything(tmp_path) == {}


def test_text_is_utf_8_with_the_newlines_asked_for(tmp_path: Path) -> None:
    with writing_text(tmp_path / "text", newline="") as file:
        file.write("é\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\r\n"


def test_devices_pipes_sockets_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, kind in ((Path("/dev/null"), "device"), (tmp_path / "pipe", "pipe"),
                           (tmp_path / "link", "pipe"), (tmp_path / "socket", "socket"),
                           (tmp_path, "folder")):
            with pytest.raises(BadInput, match=f"^{path}: a {kind}; expected the name of a file"):
                write_file(path, b"")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize(("name", "reason"), [
    ("no/net.efm", "there is no folder"), ("file/net.efm", "Not a directory"),
    ("circle", "Too many levels"), ("x" * 300, "File name too long"),
    ("dangling", "there is no folder")])
def test_places_where_nothing_can_be_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dangling").symlink_to("no/net.efm")
    place = re.escape(f"{tmp_path / name}: cannot be written: ")
    with pytest.raises(BadInput, match=place + reason):
        check_file(tmp_path / name)


def test_what_is_read_only_is_refused(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda one, mode: one != path)  # root may write everywhere
    with pytest.raises(BadInput, match=f"^{path}: cannot be written: it is read-only"):
        check_file(path)
    monkeypatch.setattr(os, "access", lambda one, mode: one != tmp_path)
    with pytest.raises(BadInput, match=f"folder {tmp_path} is read-only"):
        check_file(tmp_path / "new")
    with pytest.raises(BadInput, match=f"folder {tmp_path} is read-only"):
        check_folder(tmp_path / "new" / "folder")


def test_an_input_is_refused_by_whatever_name(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "symbolic").symlink_to("model")
    (tmp_path / "hard").hardlink_to(model)
    for path in (model, tmp_path / "sub" / ".." / "model", tmp_path / "symbolic",
                 tmp_path / "hard"):
        with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: this command reads it"):
            check_file(path, [tmp_path / "other", model])
    check_file(tmp_path / "new", [model])


def test_a_file_that_is_read_from_an_input_folder_is_refused(tmp_path: Path) -> None:
    for name in ("cat.png", "meta.json", "net.efm"):
        (tmp_path / name).write_bytes(b"")
    for name in ("cat.png", "meta.json"):
        with pytest.raises(BadInput, match="this command reads it"):
            check_file(tmp_path / name, [tmp_path])
    check_file(tmp_path / "net.efm", [tmp_path])  # the result of the run before


def test_a_folder_is_made_with_those_around_it_and_behind_links(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to("c/d")
    make_folder(tmp_path / "link")
    assert (tmp_path / "a" / "b").is_dir() and (tmp_path / "c" / "d").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(BadInput, match=f"^{path}: "):
            check_folder(path)
