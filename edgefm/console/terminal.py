# SPDX-License-Identifier: Apache-2.0
"""Prints all text to the terminal, including names and messages from outside.

Characters that would move the cursor, change colors or direction are printed as escapes (`\\x1b`).
Characters that the terminal's encoding lacks become similar text (`…` three dots) or an escape.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import IO

LIKE = MappingProxyType({"…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "±": "+-", "→": "->",
                         "·": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "µ": "u", "\xa0": " "})
OUTPUT = "standard output"
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
_CLEAR = "\r\x1b[K"         # the line that the cursor is on
HANDLER = "edgefm.console.terminal"  # of what an encoding lacks
_JOINERS = "\u200c\u200d"    # shape letters and pictographs, and move nothing


def plain(text: object, stream: IO[str] | None = None) -> str:
    """One line in a form that is safe for the terminal: every character is visible.

    `stream` is where it will be written; default: the standard output.
    """
    shown = "".join(c if c == " " or _shows(c) else _escape(c) for c in str(text))
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, HANDLER).decode(encoding)


def be_quiet(quiet: bool) -> None:
    """Show no progress from now on, or show it again."""
    _QUIET.set(quiet)


def shows_progress() -> bool:
    """True where progress is shown: on a terminal, and unless the user wants none."""
    return sys.stderr is not None and sys.stderr.isatty() and not _QUIET.get()


def say(text: object = "", to: IO[str] | None = None, flush: bool = False) -> None:
    """Print one line on the standard output, or `to` another stream."""
    with _named(to):
        print(plain(text, to), file=to, flush=flush)


def say_path(path: Path) -> None:
    """Print a path that a shell may use: its bytes as they are, unless the output is a terminal."""
    sys.stdout.flush()
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        say(path)
    else:
        sys.stdout.buffer.write(os.fsencode(path) + os.linesep.encode())
        sys.stdout.buffer.flush()


def say_bytes(data: bytes) -> bool:
    """Write bytes as they are to a pipe or a file, and as lines of text to a terminal.

    False, and nothing is written, where a person would get what is not text.
    """
    sys.stdout.flush()
    if not sys.stdout.isatty() and hasattr(sys.stdout, "buffer"):
        with _named(None):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return True
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    if "\0" in text:
        return False
    for line in text.splitlines():
        say(line)
    return True


def finish() -> None:
    """Flush the standard output. Raises OSError, with its name, when that fails."""
    if sys.stdout is not None:
        with _named(None):
            sys.stdout.flush()


def complain(message: object, program: str = "edgefm") -> None:
    """Print one line on the standard error, after the program's name, if it is open.

    Progress bars stay whole: this process's are drawn again below the line, and the line takes the
    place of one that another process has drawn.
    """
    line = plain(f"{program}: {' '.join(str(message).split())}", sys.stderr)
    bars = sys.modules.get("tqdm")  # without it, no bar is drawn here
    try:
        if sys.stderr is not None and sys.stderr.isatty():
            line = _CLEAR + line
        if bars is None:
            print(line, file=sys.stderr, flush=True)
        else:
            bars.tqdm.write(line, file=sys.stderr)
    except OSError:
        drop(sys.stderr)


def drop(stream: IO[str]) -> None:
    """Write no more to a standard stream: its buffer would fail again at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _named(stream: IO[str] | None) -> Iterator[None]:
    """Add the stream's name to an error such as a full disk."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader went away
    except OSError as error:
        name = OUTPUT if stream in (None, sys.stdout) else "standard error"
        raise OSError(error.errno, error.strerror, name) from None


def prepare() -> None:
    """Make the standard streams replace characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # no stream, or one of another kind
            stream.reconfigure(errors=HANDLER)  # type: ignore[union-attr]


def _shows(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or (
        unicodedata.category(character) == "Zs")


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else (
        repr(character)[1:-1])


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start:error.end]
    return "".join(LIKE.get(c) or _escape(c) for c in lacking), error.end


codecs.register_error(HANDLER, _replace)
