# SPDX-License-Identifier: Apache-2.0
"""The files of a recording: in a folder, in a zip of it, or in a zip that lost its end."""

from __future__ import annotations

import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from edgefm.errors import BadInput
from edgefm.files.archives import Portions
from edgefm.files.read import MOST_JSON, open_file, read_bytes
from edgefm.files.write import writing

FORMAT = "edgefm-recording"
VERSION = 1
META = "meta.json"
LOCK = "lock"
CHANNEL = re.compile(r"\d{1,4}\.(samples|events)")
LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
# what zipfile raises on a forged zip, and seek() on a forged position
BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
              OverflowError, struct.error, zlib.error)
MOST_FILE = 1 << 36    # bytes of a channel, or of a zip
MOST_META = MOST_JSON  # bytes of meta.json
MOST_CHANNELS = 256
MOST_MEMBERS = 1 << 12  # of a zip
# Chunks are compressed already: what a zip unpacks to is hardly more than the zip.
MOST_GROWTH, SMALL = 16, 1 << 20


class FolderFiles:
    """The files of a folder, which may be growing."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def names(self) -> list[str]:
        """Names of the channels' files, in order of their numbers."""
        return self._sorted(p.name for p in self._folder.iterdir() if CHANNEL.fullmatch(p.name))

    def _sorted(self, names: Iterable[str]) -> list[str]:
        found = sorted(names, key=lambda name: (int(name.partition(".")[0]), name))
        if len(found) > MOST_CHANNELS:
            raise BadInput(f"{self.name}: {len(found)} channels, expected at most {MOST_CHANNELS}")
        return found

    def meta(self) -> bytes:
        """The bytes of meta.json, b"" without one."""
        path = self._folder / META
        return read_bytes(path, MOST_META) if os.path.lexists(path) else b""

    def size(self, name: str) -> int:
        """Bytes of a file now."""
        return os.fstat(self._file(name).fileno()).st_size

    def read(self, name: str, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at` on."""
        file = self._file(name)
        file.seek(at)
        return file.read(count)

    def close(self) -> None:
        """Close every file."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def is_written(self) -> bool:
        """True while a recorder on this machine has the folder."""
        try:
            import fcntl
            with open_file(self._folder / LOCK, MOST_META) as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (OSError, BadInput, ImportError):  # no such file; a system without these locks
            return False
        return False

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._open:
            self._open[name] = open_file(self._folder / name, MOST_FILE)
        return self._open[name]


class ZipFiles(FolderFiles):
    """The files of a zip. What is stored is read in place, what is packed is unpacked on disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._zip = open_file(path, MOST_FILE)
        self._bytes = os.fstat(self._zip.fileno()).st_size
        self._room = MOST_GROWTH * self._bytes + SMALL
        self._members: dict[str, tuple[int, int]] = {}
        self.complaint = ""
        try:
            self._list()
        except BROKEN_ZIP as error:
            self.complaint = f"the zip is damaged ({error}); what is stored in front is read"
            self._members.clear()
        for name, at, size in _scan(self._zip):
            if name not in self._members:
                self.complaint = self.complaint or f"the zip's directory lacks {name}; it is read"
                self._members[name] = at, size

    def _list(self) -> None:
        with zipfile.ZipFile(Portions(self._zip)) as archive:
            for info in islice(archive.infolist(), MOST_MEMBERS):
                name = info.filename.rpartition("/")[2]
                wanted = name == META or CHANNEL.fullmatch(name)
                if wanted and name not in self._members and len(self._members) <= MOST_CHANNELS + 1:
                    self._take(archive, info, name)

    def _take(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
        if info.compress_type == zipfile.ZIP_STORED:
            at = _data_of(self._zip, info.header_offset)
            self._members[name] = at, max(0, min(info.file_size, self._bytes - at))
        elif info.compress_type == zipfile.ZIP_DEFLATED:
            self._unpack(archive, info, name)
        else:  # of which a few bytes may unpack to any amount at once
            self.complaint = (f"{name} is packed by method {info.compress_type} in the zip, "
                              "expected 0 or 8; it is left out")

    def _unpack(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
        file = self._open[name] = _unpacked(archive, info, self._room)
        self._members[name] = -1, file.tell()
        self._room -= file.tell()
        if file.tell() < info.file_size:
            self.complaint = (f"{name} is damaged in the zip, or larger than it can be; its front "
                              "is read")

    def names(self) -> list[str]:
        """Names of the channels' files, in order of their numbers."""
        return self._sorted(set(self._members) - {META})

    def meta(self) -> bytes:
        """The bytes of meta.json, b"" without one."""
        size = self.size(META) if META in self._members else 0
        if size > MOST_META:
            raise BadInput(f"{self.name}: {META} of {size} bytes, expected at most {MOST_META}")
        return self.read(META, 0, size) if size else b""

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._members[name][1]

    def read(self, name: str, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at` on."""
        start, size = self._members[name]
        file = self._open[name] if start < 0 else self._zip
        file.seek(max(start, 0) + at)
        return file.read(max(0, min(count, size - at)))

    def close(self) -> None:
        """Close the zip and what was unpacked."""
        super().close()
        self._zip.close()

    def is_written(self) -> bool:
        """A zip never grows."""
        return False


def open_files(path: Path) -> FolderFiles:
    """The files of a recording. Raises BadInput when there is none at `path`."""
    if path.is_dir():
        files = FolderFiles(path)
        if not files.names() and not (path / META).is_file():
            raise BadInput(f"{path}: not a recording: neither {META} nor a channel in it")
        return files
    with open_file(path, MOST_FILE) as file:
        magic = file.read(4)
    if magic != b"PK\3\4":
        raise BadInput(f"{path}: not a recording: expected a folder or a zip of one")
    return ZipFiles(path)


def pack(folder: Path, target: Path) -> None:
    """Put the files of a finished recording into a zip, unpacked: chunks are compressed already."""
    with FolderFiles(folder) as files, writing(target) as file, \
            zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in [META, *files.names()]:
            if (folder / name).is_file():
                archive.write(folder / name, name)


def _data_of(file: IO[bytes], at: int) -> int:
    """Where the bytes of the member begin whose local header is at `at`."""
    file.seek(at)
    *_, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    return at + LOCAL_HEADER.size + int(name) + int(extra)


def _scan(file: IO[bytes]) -> Iterator[tuple[str, int, int]]:
    """Members that are stored, by their local headers: name, position, bytes that are there."""
    size, at = os.fstat(file.fileno()).st_size, 0
    for _ in range(MOST_MEMBERS):
        if at + LOCAL_HEADER.size > size:
            return
        file.seek(at)
        fields = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        magic, _, flags, method, *_, count, _, name_bytes, extra_bytes = fields
        if magic != b"PK\3\4" or flags & 8 or method != zipfile.ZIP_STORED:
            return
        name = file.read(name_bytes).decode("utf-8", "replace").rpartition("/")[2]
        start = at + LOCAL_HEADER.size + name_bytes + extra_bytes
        extra = file.read(extra_bytes)
        if count == 0xFFFFFFFF and len(extra) >= 12:  # a zip64 field: id, size, real sizes
            count = int.from_bytes(extra[4:12], "little")
        if name == META or CHANNEL.fullmatch(name):
            yield name, start, max(0, min(count, size - start))
        at = start + count


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> IO[bytes]:
    """A temporary file with a member's bytes, as many as are good, `most` at most."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (its owner closes it)
    try:
        with archive.open(info) as member:
            while data := member.read(min(1 << 20, most - file.tell())):
                file.write(data)
    except BROKEN_ZIP:
        pass  # cut, damaged or locked: the reader says which chunks are missing
    return file
