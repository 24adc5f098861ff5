# SPDX-License-Identifier: Apache-2.0
"""What is read record by record: the list of the store, in any pieces and order, in linear work."""

import struct
import zlib
from typing import Any

import pytest
import store_device
from store_device import OK, ROOT, Flash, Store

RECORD = struct.Struct("<IIB7x32s")
CDEF = """
int open_list(efm_store *store, uint32_t *total, uint32_t *crc);
int give(uint32_t offset, uint8_t *bytes, uint32_t count);
"""
SOURCE = """
#include "bulk.h"
static efm_bulk bulk;
static int open_list(efm_store *store, uint32_t *total, uint32_t *crc)
{
    efm_link_bulk asked = {.name = (const uint8_t *)":list", .name_bytes = 5};
    bulk = (efm_bulk){.store = store};
    int status = efm_bulk_open(&bulk, &asked);
    *total = asked.total;
    *crc = asked.crc;
    return status;
}
static int give(uint32_t offset, uint8_t *bytes, uint32_t count)
{
    return efm_bulk_give(&bulk, offset, bytes, count);
}
/* There are no runs here. */
int efm_inference_output(const efm_inference *inference, uint32_t number, const uint8_t **at,
                         uint32_t *bytes) { return -1; }
int efm_inference_maps(const efm_inference *inference, uint32_t *count) { return -1; }
void efm_event_run_end(uint8_t payload[EFM_RUN_END_BYTES], const efm_run_end *end) { }
void efm_map_record(uint8_t record[EFM_MAP_RECORD_BYTES], const efm_map_counters *maps) { }
"""


@pytest.fixture(scope="module")
def native(native_lib: Any) -> Any:
    common = ROOT / "firmware" / "common"
    return store_device.build(native_lib, CDEF, SOURCE, [common / "bulk.c", common / "sha256.c"])


def _filled(native: Any, count: int) -> Store:
    store = Store(Flash(native, (count + 4) * 256, 256, 4))
    for number in range(count):
        assert store.write(f"file {number}", b"%d" % number) == OK
    return store


def _expected(store: Store) -> bytes:
    return b"".join(RECORD.pack(len(data), zlib.crc32(data), len(name), name.encode())
                    for name, data in store.entries())


def _open(native: Any, store: Store) -> tuple[int, int]:
    total, crc = native.ffi.new("uint32_t *"), native.ffi.new("uint32_t *")
    assert native.lib.open_list(store.state, total, crc) == OK
    return total[0], crc[0]


def _give(native: Any, at: int, count: int) -> bytes:
    room = native.ffi.new("uint8_t[]", count)
    assert native.lib.give(at, room, count) == OK
    return bytes(native.ffi.buffer(room, count))


def _read(native: Any, total: int, piece: int, backwards: bool = False) -> bytes:
    """The whole, asked for in pieces."""
    starts = range(0, total, piece)
    pieces = {at: _give(native, at, min(piece, total - at))
              for at in (reversed(starts) if backwards else starts)}
    return b"".join(pieces[at] for at in starts)


@pytest.mark.parametrize("piece", [1, 20, 47, 48, 1000, 10**6])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_list_is_the_same_in_any_pieces_and_order(native: Any, piece: int,
                                                      backwards: bool) -> None:
    store = _filled(native, 40)
    total, crc = _open(native, store)
    data = _read(native, total, piece, backwards)
    assert data == _expected(store)
    assert zlib.crc32(data) == crc


def test_an_empty_store_has_an_empty_list(native: Any) -> None:
    assert _open(native, _filled(native, 0)) == (0, 0)


def test_records_of_files_that_were_removed_meanwhile_are_zeros(native: Any) -> None:
    store = _filled(native, 3)
    total, _ = _open(native, store)
    assert store.remove("file 1") == OK
    assert _read(native, total, 48) == _expected(store) + bytes(48)


@pytest.mark.parametrize("piece", [20, 1012])
def test_a_list_read_in_order_looks_at_each_head_a_few_times_only(native: Any, piece: int) -> None:
    for count in (50, 100, 200):
        store = _filled(native, count)
        before = native.lib.heads
        total, _ = _open(native, store)
        opened = native.lib.heads - before
        _read(native, total, piece)
        read = native.lib.heads - before - opened
        assert opened <= 5 * count
        assert read <= (2 + -(-RECORD.size // piece)) * count + count
