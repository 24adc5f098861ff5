# SPDX-License-Identifier: Apache-2.0
"""Text for the terminal shows what it is, in every encoding."""

import io
import sys
from pathlib import Path

import pytest

from edgefm.console.terminal import complain, plain, prepare, say, say_path


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(("text", "shown"), [
    ("cat", "cat"), ("a b", "a b"), ("größe 猫 🐈", "größe 猫 🐈"), ("C:\\net", "C:\\net"),
    ("\x1b[31mred\x07", "\\x1b[31mred\\x07"), ("one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"),
    ("\x7f\x9b31m\x85", "\\x7f\\x9b31m\\x85"), ("\u202eevil\u2066", "\\u202eevil\\u2066"),
    ("\u2028\ufeff", "\\u2028\\ufeff"), ("\udcff", "\\udcff"), ("می\u200cخواهم", "می\u200cخواهم")])
def test_only_characters_that_show_themselves_pass(text: str, shown: str) -> None:
    assert plain(text, stream("utf-8")) == shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_every_encoding_has_something_for_every_character(encoding: str) -> None:
    text = "…±→–猫\udcff" + "".join(map(chr, range(0x3000)))
    shown = plain(text, stream(encoding))
    assert shown.encode(encoding).decode(encoding) == shown
    assert not set(shown) & set(map(chr, [*range(32), *range(127, 160)]))


def test_what_an_encoding_lacks_is_told_by_something_like_it() -> None:
    assert plain("…1 ± 2 → 猫", stream("ascii")) == "...1 +- 2 -> \\u732b"
    assert plain("…1 ± 2", stream("latin-1")) == "...1 ± 2"


def test_a_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb")
    complain("bad\n  \x1bname\n", "tool")
    assert capsys.readouterr() == ("a\\nb\n", "tool: bad \\x1bname\n")


def test_a_path_goes_to_a_program_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say_path(Path("/caché/\udcff"))
    assert raw.getvalue() == "/caché/".encode() + b"\xff\n"


def test_prepared_streams_take_what_others_print(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    prepare()
    sys.stdout.write("…é")
    sys.stdout.flush()
    assert raw.getvalue() == b"...\\xe9"
