# SPDX-License-Identifier: Apache-2.0
"""The device's end of the link, in C, with a firmware of a few lines of Python around it."""

import zlib
from pathlib import Path
from typing import Any

from host_tools.link.capability import FIRST, Info, write_info
from host_tools.link.frames import FRAME_EXTRA, Status

COMMON = Path(__file__).resolve().parents[2] / "firmware" / "common"
SOURCES = (COMMON / "frames.c", COMMON / "link.c")
INFO = Info(b"\x01\x02\x03\x04\x05\x06\x07\x08", "test", 3, 0x1f, 0xffff, 65536, 1 << 20, 1 << 19,
            1 << 18, 2, 0, 4)
CDEF = """
typedef struct { uint8_t type, sequence; uint32_t bytes; const uint8_t *payload; ...; }
    efm_link_frame;
typedef struct { uint32_t damaged; ...; } efm_link_receiver;
void efm_link_receiver_init(efm_link_receiver *receiver, uint8_t *buffer, uint32_t capacity);
uint32_t receive_all(efm_link_receiver *receiver, const uint8_t *bytes, uint32_t count,
                     uint32_t *used, efm_link_frame *frame);
typedef struct { const uint8_t *name; uint32_t name_bytes; bool writing;
                 uint32_t total, crc, start; ...; } efm_link_bulk;
typedef struct {
    uint8_t *receive, *transmit; uint32_t frame_bytes; uint8_t *window; uint32_t window_bytes;
    const uint8_t *info; uint32_t info_bytes; void *context;
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    int (*command)(void *context, uint8_t command, const uint8_t *args, uint32_t args_bytes,
                   uint8_t *reply, uint32_t room, uint32_t *reply_bytes);
    int (*open)(void *context, efm_link_bulk *bulk);
    int (*take)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t count);
    int (*give)(void *context, uint32_t offset, uint8_t *bytes, uint32_t count);
    int (*close)(void *context, bool commit);
    ...;
} efm_link_config;
typedef struct { bool session; efm_link_receiver receiver; ...; } efm_link;
int efm_link_init(efm_link *link, const efm_link_config *config);
void feed_all(efm_link *link, const uint8_t *bytes, uint32_t count);
void efm_link_send_event(efm_link *link, uint8_t *frame, uint32_t payload_bytes);
void efm_link_send(const efm_link_config *config, int type, uint8_t sequence, uint8_t *frame,
                   uint32_t payload_bytes);
"""
SOURCE = """
#include "link.h"
static uint32_t receive_all(efm_link_receiver *receiver, const uint8_t *bytes, uint32_t count,
                            uint32_t *used, efm_link_frame *frame)
{
    while (*used < count)
        if (efm_link_receive(receiver, bytes[(*used)++], frame))
            return 1;
    return 0;
}
static void feed_all(efm_link *link, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        efm_link_feed(link, bytes[i]);
}
"""
REVERSE, SLOW, FAIL = 200, 201, 202  # what this firmware can do


def build(native_lib: Any) -> Any:
    """The compiled link with its internals in view."""
    return native_lib(CDEF, SOURCE, [*SOURCES, "crc32.c"])


class LinkDevice:
    """bytes in -> bytes out. `files` are committed, `partial` is what an interruption left."""

    def __init__(self, native: Any, frame: int = 4096, window: int = 1 << 15,
                 info: bytes = b"") -> None:
        self.native, self.frame = native, frame
        self.files: dict[str, bytes] = {}
        self.partial: dict[tuple[str, int, int], bytearray] = {}
        self.commands: list[tuple[int, bytes]] = []
        self.take_status = 0
        self.out = bytearray()
        ffi = native.ffi
        info = info or write_info(INFO)[:FIRST.size]  # what every version has
        self._lent = {"receive": ffi.new("uint8_t[]", frame),
                      "transmit": ffi.new("uint8_t[]", frame),
                      "window": ffi.new("uint8_t[]", window), "info": ffi.from_buffer(info)}
        calls = {"write": "void(void *, const uint8_t *, uint32_t)",
                 "command": "int(void *, uint8_t, const uint8_t *, uint32_t, uint8_t *, uint32_t, "
                            "uint32_t *)",
                 "open": "int(void *, efm_link_bulk *)",
                 "take": "int(void *, uint32_t, const uint8_t *, uint32_t)",
                 "give": "int(void *, uint32_t, uint8_t *, uint32_t)", "close": "int(void *, bool)"}
        self._calls = {name: ffi.callback(kind, getattr(self, f"_{name}"))
                       for name, kind in calls.items()}
        self.config = ffi.new("efm_link_config *", {
            **self._lent, **self._calls, "frame_bytes": frame, "window_bytes": window,
            "info_bytes": len(info)})
        self.link = ffi.new("efm_link *")
        self.reset()

    def reset(self) -> None:
        assert self.native.lib.efm_link_init(self.link, self.config) == 0

    def __call__(self, data: bytes) -> bytes:
        self.native.lib.feed_all(self.link, data, len(data))
        out = bytes(self.out)
        self.out.clear()
        return out

    def event(self, payload: bytes) -> bytes:
        frame = self.native.ffi.new("uint8_t[]", len(payload) + FRAME_EXTRA)
        self.native.ffi.memmove(frame + 4, payload, len(payload))
        self.native.lib.efm_link_send_event(self.link, frame, len(payload))
        return self(b"")

    def _write(self, _, data, count):
        self.out += self.native.ffi.buffer(data, count)

    def _command(self, _, command, args, count, reply, room, reply_bytes):
        data = bytes(self.native.ffi.buffer(args, count))
        self.commands.append((command, data))
        if command == SLOW:  # the line goes on while the device works
            self.native.lib.feed_all(self.link, data, len(data))
        text = data[::-1] if command == REVERSE else b"on fire" if command == FAIL else b""
        self.native.ffi.memmove(reply, text, min(len(text), room))
        reply_bytes[0] = min(len(text), room)
        return Status.PORT_FAILED if command == FAIL else 0

    def _open(self, _, bulk):
        name = bytes(self.native.ffi.buffer(bulk.name, bulk.name_bytes)).decode("utf-8", "replace")
        self.name, self.writing = name, bulk.writing
        if not bulk.writing:
            if name not in self.files:
                return Status.NOT_FOUND
            bulk.total, bulk.crc = len(self.files[name]), zlib.crc32(self.files[name])
            return 0
        if bulk.total > INFO.store_bytes:
            return Status.NO_SPACE
        self.key = (name, bulk.total, bulk.crc)
        bulk.start = len(self.partial.setdefault(self.key, bytearray()))
        return 0

    def _take(self, _, offset, data, count):
        assert offset == len(self.partial[self.key])
        if self.take_status == 0:
            self.partial[self.key] += self.native.ffi.buffer(data, count)
        return self.take_status

    def _give(self, _, offset, data, count):
        self.native.ffi.memmove(data, self.files[self.name][offset:offset + count], count)
        return 0

    def _close(self, _, commit):
        if commit and self.writing:
            data = bytes(self.partial.pop(self.key))
            if zlib.crc32(data) != self.key[2]:
                return Status.BAD_CHECKSUM
            self.files[self.name] = data
        return 0
