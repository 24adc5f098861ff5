# SPDX-License-Identifier: Apache-2.0
"""Writes files: it checks them before the work begins, then writes them completely or not at all.

Every file is written next to its place under another name and renamed when it is complete. A link
stays and its target is replaced; a replaced file keeps its permissions. Devices, pipes, sockets and
the inputs of a command are never replaced.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from edgefm.errors import BadInput
from edgefm.files.suffixes import READ_FROM_FOLDERS

KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
         (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
RESERVED = frozenset(("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
                      *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))))
RECORDING_FILES = frozenset(("meta.json", "lock"))

_parts: set[Path] = set()  # of files that are being written


def check_file(path: Path, inputs: Iterable[Path] = ()) -> Path:
    """The place where a file named `path` will be written, with all links resolved.

    Raises BadInput where it cannot be, or would destroy something: a folder, device, pipe or
    socket, what this command prints to, one of its `inputs` or a file of an input folder.
    """
    place = Path(os.path.realpath(path))
    there = _stat(path)
    _check_writable(path, place.parent)
    if there is None:
        return place
    for is_kind, name in KINDS:
        if is_kind(there.st_mode):
            raise BadInput(f"{path}: {name}; expected the name of a file to write")
    if not os.access(place, os.W_OK):
        raise BadInput(f"{path}: cannot be written: it is read-only")
    if any(_is_same(there, os.fstat(fd)) for fd in (1, 2) if _is_open(fd)):
        raise BadInput(f"{path}: this command prints there; expected the name of another file")
    for one in inputs:
        _check_input(path, there, one)
    return place


def check_folder(path: Path, inputs: Iterable[Path] = ()) -> Path:
    """The place where a folder named `path` is or will be made. Raises BadInput when that is not
    possible, or when it is one of the `inputs` and a file."""
    place = Path(os.path.realpath(path))
    there = _stat(path)
    if there is not None and not stat.S_ISDIR(there.st_mode):
        raise BadInput(f"{path}: a file is there; expected the name of a folder to write into")
    nearest = next(one for one in (place, *place.parents) if one.exists())
    _check_writable(path, nearest)
    return place


def place_in(folder: Path, name: str) -> Path:
    """The place in a folder for a file with the name `name`, from a device or an archive.

    Raises BadInput for a name that is a path, or that some system takes for something else.
    """
    stem = name.partition(".")[0].rstrip().upper()
    if (not name or not name.isprintable() or set(name) & set("/\\:") or name[-1] in ". "
            or stem in RESERVED):
        raise BadInput(f"{name!r} is not a name for a file on this machine; expected one without "
                       "/, \\, : or .. (give the file another name instead of a folder)")
    return folder / name


def make_folder(path: Path) -> None:
    """Make a folder and its parents. Raises BadInput when that fails."""
    try:
        check_folder(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from None


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that gets its name if the block succeeds and is removed if it fails.

    Raises BadInput, naming the file, where it cannot be written: a full disk, a missing folder.
    """
    place = check_file(path)
    part = place.parent / f".edgefm-{os.getpid()}-{os.urandom(4).hex()}.part"
    _parts.add(part)
    try:
        with _create(part) as file:
            yield file
            file.flush()
            _keep_permissions(file.fileno(), place)
        os.replace(part, place)
    except OSError as error:
        if error.filename not in (None, str(part)):
            raise  # of another file, which the block reads
        raise _refused(path, error) from None
    finally:
        _discard(part)


@contextmanager
def writing_text(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """The same for UTF-8 text; `newline` as for open()."""
    with writing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline=newline, write_through=True)
        yield text
        text.detach()


def write_file(path: Path, data: bytes | str) -> None:
    """Write bytes, or text as UTF-8. Raises what `writing` raises."""
    with writing(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def abandon() -> None:
    """Remove half-written files: the process ends now, without leaving its blocks."""
    for part in tuple(_parts):
        _discard(part)


def _create(part: Path) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(part, flags, 0o666), "wb")


def _discard(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)
    _parts.discard(part)


def _keep_permissions(descriptor: int, place: Path) -> None:
    """Copy mode and owner of the replaced file, as far as this user may set them."""
    try:
        old = place.stat()
    except FileNotFoundError:
        return
    with suppress(OSError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _stat(path: Path) -> os.stat_result | None:
    """The status of the file at the end of all links; None if there is none yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:  # a file where a folder should be, links in a circle, too long a name
        raise _refused(path, error) from None


def _check_writable(path: Path, folder: Path) -> None:
    if not folder.exists():
        raise BadInput(f"{path}: cannot be written: there is no folder {folder}")
    if not folder.is_dir():
        raise BadInput(f"{path}: cannot be written: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{path}: cannot be written: folder {folder} is read-only")


def _check_input(path: Path, there: os.stat_result, one: Path) -> None:
    """Refuse an input, and what its reader would take of an input that is a folder."""
    if one.is_dir():
        files = [file for file in one.iterdir() if file.name in RECORDING_FILES
                 or file.suffix.lower() in READ_FROM_FOLDERS]
    else:
        files = [one]
    for file in files:
        with suppress(OSError):
            if _is_same(there, file.stat()):
                raise BadInput(f"{path}: this command reads it; expected the name of another file")


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _refused(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{path}: cannot be written: {error.strerror or error}")
