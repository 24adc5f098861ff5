# SPDX-License-Identifier: Apache-2.0
"""The model store, in C, on simulated flash that loses power where a test says."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "firmware" / "common" / f"{name}.c"
         for name in ("store", "store_write", "store_flash", "extents")]
FLASH_H = Path(__file__).with_name("nor_flash.h")
CRC32_C = ROOT / "native" / "src" / "crc32.c"
OK, BAD_CHECKSUM, BAD_ARGUMENT, PORT_FAILED = 0, -4, -12, -13
INCOMPLETE, NOT_FOUND, NO_SPACE, REFUSED, TOO_MANY = -37, -38, -39, -40, -41
FOREVER = 2**63
TEARS = 6
CDEF = """
typedef struct { uint8_t *bytes, *written; uint32_t *erases, size, erase_bytes, program_bytes;
                 uint64_t left, spent; uint32_t tear, seed, forbidden; bool cut; ...; } nor_flash;
typedef struct { const uint8_t *name; uint32_t name_bytes; const uint8_t *at; uint32_t bytes, crc; }
    efm_store_entry;
typedef struct { const uint8_t *name; uint32_t name_bytes, bytes, crc; } efm_store_package;
typedef struct { uint32_t bytes, free, largest, erases; } efm_store_space;
typedef struct { uint32_t blocks, page, sequence, cursor, open, unsettled, taken; bool resumed;
                 ...; } efm_store;
extern uint32_t heads;
int mount(efm_store *store, nor_flash *nor);
bool efm_store_next(const efm_store *store, uint32_t *cursor, efm_store_entry *entry);
bool efm_store_find(const efm_store *store, const uint8_t *name, uint32_t name_bytes,
                    efm_store_entry *entry);
int efm_store_begin(efm_store *store, const efm_store_package *package, bool replace,
                    uint32_t *start);
int efm_store_append(efm_store *store, const uint8_t *bytes, uint32_t count);
int efm_store_commit(efm_store *store);
int efm_store_abort(efm_store *store);
int efm_store_remove(efm_store *store, const uint8_t *name, uint32_t name_bytes);
void efm_store_measure(const efm_store *store, efm_store_space *space);
"""
# Every head that is looked at is checked with one CRC-32: `heads` counts the work.
SOURCE = """
uint32_t heads;
uint32_t efm_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    heads++;
    return checked(crc, bytes, count);
}
#include "store.h"
static int mount(efm_store *store, nor_flash *nor)
{
    efm_flash flash = nor_as_flash(nor);
    return efm_store_mount(store, &flash);
}
"""


def build(native_lib: Any, cdef: str = "", source: str = "", files: Sequence[Path] = ()) -> Any:
    """The compiled store with the flash below it, and what else a test adds."""
    crc32 = CRC32_C.read_text(encoding="utf-8").replace("efm_crc32(", "checked(")
    below = FLASH_H.read_text(encoding="utf-8") + crc32
    return native_lib(CDEF + cdef, below + SOURCE + source, [*FILES, *files])


class Flash:
    """Simulated flash: its contents survive a power cut, and `cut_after()` says where that is."""

    def __init__(self, native: Any, size: int, erase: int, program: int) -> None:
        self.native, ffi = native, native.ffi
        # 16 more than needed: a package must lie aligned in memory
        self._room = ffi.new("uint8_t[]", size + 16)
        at = self._room + -int(ffi.cast("uintptr_t", self._room)) % 16
        self._written = ffi.new("uint8_t[]", size // program)
        self._erases = ffi.new("uint32_t[]", size // erase)
        self.nor = ffi.new("nor_flash *", {
            "bytes": at, "written": self._written, "erases": self._erases, "size": size,
            "erase_bytes": erase, "program_bytes": program, "left": FOREVER, "seed": 1})
        self.fill(b"\xff" * size)

    def fill(self, image: bytes) -> None:
        """What the flash holds; a unit that is not blank counts as programmed."""
        unit, nor = self.nor.program_bytes, self.nor
        assert len(image) == nor.size
        self.native.ffi.memmove(nor.bytes, image, len(image))
        blank = b"\xff" * unit
        flags = bytes(image[at:at + unit] != blank for at in range(0, len(image), unit))
        self.native.ffi.memmove(self._written, flags, len(flags))

    def image(self) -> bytes:
        return bytes(self.native.ffi.buffer(self.nor.bytes, self.nor.size))

    def save(self) -> tuple[bytes, bytes]:
        return self.image(), bytes(self._written)

    def restore(self, saved: tuple[bytes, bytes]) -> None:
        self.native.ffi.memmove(self.nor.bytes, saved[0], len(saved[0]))
        self.native.ffi.memmove(self._written, saved[1], len(saved[1]))

    def cut_after(self, count: int, tear: int = 0, seed: int = 1) -> None:
        """Power goes when `count` more bytes have been erased or programmed."""
        self.nor.left, self.nor.tear, self.nor.seed, self.nor.cut = count, tear, seed or 1, False

    def power(self) -> None:
        self.cut_after(FOREVER)

    def erases(self) -> list[int]:
        return list(self._erases)


class Store:
    """A mounted store; what lies in RAM is gone with this object."""

    def __init__(self, flash: Flash) -> None:
        self.flash, self.native = flash, flash.native
        self.state = self.native.ffi.new("efm_store *")
        self.mounted = self.native.lib.mount(self.state, flash.nor)

    def begin(self, name: str, data: bytes, replace: bool = False) -> tuple[int, int]:
        """Status, and the byte to go on from."""
        text, start = name.encode(), self.native.ffi.new("uint32_t *")
        room = self.native.ffi.new("uint8_t[]", text)
        package = self.native.ffi.new("efm_store_package *",
                                      [room, len(text), len(data), zlib.crc32(data)])
        return self.native.lib.efm_store_begin(self.state, package, replace, start), start[0]

    def append(self, data: bytes) -> int:
        return self.native.lib.efm_store_append(self.state, data, len(data))

    def commit(self) -> int:
        return self.native.lib.efm_store_commit(self.state)

    def abort(self) -> int:
        return self.native.lib.efm_store_abort(self.state)

    def remove(self, name: str) -> int:
        text = name.encode()
        return self.native.lib.efm_store_remove(self.state, text, len(text))

    def write(self, name: str, data: bytes, replace: bool = False, piece: int = 1 << 20) -> int:
        """All steps of a write, also of one that was interrupted; the first status that is bad."""
        status, start = self.begin(name, data, replace)
        for at in range(start, len(data), piece):
            if status == OK:
                status = self.append(data[at:at + piece])
        return status or self.commit()

    def find(self, name: str) -> bytes | None:
        """The package as it lies in the flash; its place and CRC are checked."""
        entry, text = self.native.ffi.new("efm_store_entry *"), name.encode()
        if not self.native.lib.efm_store_find(self.state, text, len(text), entry):
            return None
        return self._read(entry)[1]

    def _read(self, entry: Any, sound: bool = True) -> tuple[str, bytes]:
        ffi = self.native.ffi
        assert int(ffi.cast("uintptr_t", entry.at)) % 16 == 0
        data = bytes(ffi.buffer(entry.at, entry.bytes))
        assert not sound or zlib.crc32(data) == entry.crc
        return bytes(ffi.buffer(entry.name, entry.name_bytes)).decode("utf-8", "replace"), data

    def entries(self, sound: bool = True) -> Iterator[tuple[str, bytes]]:
        cursor, entry = (self.native.ffi.new(kind) for kind in ("uint32_t *", "efm_store_entry *"))
        while self.native.lib.efm_store_next(self.state, cursor, entry):
            yield self._read(entry, sound)

    def all(self) -> dict[str, bytes]:
        """Every package by name, none twice."""
        found = list(self.entries())
        assert len(dict(found)) == len(found)
        return dict(found)

    def space(self) -> Any:
        space = self.native.ffi.new("efm_store_space *")
        self.native.lib.efm_store_measure(self.state, space)
        return space
