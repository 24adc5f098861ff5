# SPDX-License-Identifier: Apache-2.0
"""Files from outside: regular files up to a size, text, JSON and TOML that hold no surprise."""

import os
import socket
from pathlib import Path

import pytest

from edgefm.errors import BadInput
from edgefm.files import read
from edgefm.files.read import (
    files_in,
    open_file,
    parse_json,
    read_bytes,
    read_json,
    read_lines,
    read_text,
    read_toml,
)


def test_a_regular_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(path)
    assert read_bytes(path) == read_bytes(str(tmp_path / "link"), 3) == b"abc"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(tmp_path / "socket"))
        for name, said in (("fifo", "a FIFO"), ("link", "a FIFO"), ("socket", "a socket"),
                           (".", "a folder"), ("/dev/zero", "a device"), ("absent", "no such file"),
                           ("loop", "symbolic links"), ("a\0b", "not a file name")):
            with pytest.raises(BadInput, match=said) as refused:
                open_file(tmp_path / name, 1 << 20)
            assert "\n" not in str(refused.value)


def test_a_file_beyond_its_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)  # a sparse file
    with pytest.raises(BadInput, match="a: 1099511627776 bytes, expected at most 1073741824"):
        read_bytes(tmp_path / "a")


def test_a_file_exchanged_for_a_fifo_meanwhile_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a").write_bytes(b"abc")
    before = os.stat(tmp_path / "a")
    monkeypatch.setattr(read.os, "stat", lambda _: before)
    with pytest.raises(BadInput, match="a FIFO"):
        open_file(tmp_path / "fifo", 3)


def test_a_text_of_too_many_lines_is_refused(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MOST_LINES", 3)
    (tmp_path / "a").write_bytes(b"a\nb\nc\n")
    assert read_lines(tmp_path / "a") == ["a", "b", "c"]
    (tmp_path / "a").write_bytes(b"a\nb\nc\nd")
    with pytest.raises(BadInput, match="a: 4 lines, expected at most 3"):
        read_lines(tmp_path / "a")


def test_text_loses_its_byte_order_mark_and_must_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfab")
    assert read_text(tmp_path / "a") == "ab"
    (tmp_path / "a").write_bytes(b"ab\xff")
    with pytest.raises(BadInput, match=r"a: not a text file \(byte 2 is not UTF-8\)"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize(("text", "said"), [
    (b"[" * 65 + b"]" * 65, "more than 64 levels"), (b"[" * 100_000, "more than 64 levels"),
    (b"[" + b"[]," * (1 << 20) + b"0]", "more than 1048576 values"),
    (b'{"a": 1, "b": 2, "a": 3}', "key 'a' comes twice"), (b"[NaN]", "NaN"),
    (b"-Infinity", "finite"), (b"9" * 5000, "a whole number of at most 64 bits"),
    (b"18446744073709551616", "64 bits"), (b"[1e999]", "1e999, expected a finite"),
    (b"\xff", "utf-8"), (b"", "Expecting"),
    (b"{", "Expecting"), (b'"' + b"\\" * 9, "Unterminated")])
def test_json_with_a_surprise_is_refused_in_one_line(text: bytes, said: str,
                                                     tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(BadInput, match=rf"a\.json: not a JSON file: .*{said}") as refused:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(refused.value)


def test_brackets_in_strings_are_no_levels() -> None:
    assert parse_json(b'\xef\xbb\xbf["\\"[' + b"[" * 99 + b'", {"a": [1]}]')[1] == {"a": [1]}


@pytest.mark.parametrize("text", [b"a = " + b"[" * 30_000, b"a = " + b"9" * 5000,
                                  b"a = 0x" + b"f" * 30_000, b"a = [{b = " + b"9" * 40 + b"}]",
                                  b"a = \xff",
                                  b"a = 1\na = 2", b"a = 2000-99-99", b"#" * (1 << 17)])
def test_toml_with_a_surprise_is_refused_in_one_line(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(text)
    with pytest.raises(BadInput, match=r"a\.toml: ") as refused:
        read_toml(tmp_path / "a.toml")
    assert "\n" not in str(refused.value)


def test_a_folder_lists_what_has_the_suffix(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.PNG", "a.png", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in files_in(tmp_path, {".png"})] == ["a.png", "b.PNG"]
    monkeypatch.setattr(read, "MOST_FILES", 2)
    with pytest.raises(BadInput, match="more than 2 files"):
        files_in(tmp_path, {".png"})
    with pytest.raises(BadInput, match="not a folder"):
        files_in(tmp_path / "c.txt", {".png"})
    with pytest.raises(BadInput, match="no such file"):
        files_in(tmp_path / "absent", {".png"})
