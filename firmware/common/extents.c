/* SPDX-License-Identifier: Apache-2.0 */
#include "extents.h"

#include "edgefm_bytes.h"

bool efm_bytes_same(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
    if (a_bytes != b_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < a_bytes; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

bool efm_bytes_blank(const uint8_t *at, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (at[i] != 0xff) {
            return false;
        }
    }
    return true;
}

uint32_t efm_log2(uint32_t power)
{
    uint32_t log = 0;
    while (power >> log > 1) {
        log++;
    }
    return log;
}

static const uint8_t *block_at(const efm_store *store, uint32_t block)
{
    return store->flash.at + block * store->flash.erase_bytes;
}

/* -- heads and runs ----------------------------------------------------------------------------- */

uint32_t efm_extent_blocks(const efm_store *store, uint32_t bytes)
{
    uint32_t erase_bytes = store->flash.erase_bytes;
    if (bytes > store->flash.bytes - efm_head_bytes(store)) {
        return store->blocks + 1;
    }
    return (efm_head_bytes(store) + bytes - 1) / erase_bytes + 1;
}

bool efm_extent_parse(const efm_store *store, const uint8_t *at, uint32_t block, efm_extent *found)
{
    if (efm_load_le32(at + EFM_HEAD_MAGIC) != EFM_MAGIC_HEAD || efm_load_le32(at + EFM_HEAD_BLOCK) != block
        || at[EFM_HEAD_ERASE_LOG] != efm_log2(store->flash.erase_bytes)
        || at[EFM_HEAD_PAGE_LOG] != efm_log2(store->page)
        || efm_load_le32(at + EFM_HEAD_CHECK) != efm_crc32(0, at, EFM_HEAD_CHECK)) {
        return false;
    }
    found->at = at;
    found->block = block;
    found->sequence = efm_load_le32(at + EFM_HEAD_SEQUENCE);
    found->bytes = efm_load_le32(at + EFM_HEAD_TOTAL);
    found->blocks = efm_extent_blocks(store, found->bytes);
    found->crc = efm_load_le32(at + EFM_HEAD_CRC);
    found->erases = efm_load_le32(at + EFM_HEAD_ERASES);
    found->name = at + EFM_HEAD_NAME;
    found->name_bytes = at[EFM_HEAD_NAME_BYTES];
    return found->blocks <= store->blocks - block && found->sequence != UINT32_MAX && found->name_bytes != 0
           && found->name_bytes <= EFM_STORE_NAME_MAX;
}

bool efm_extent_read(const efm_store *store, uint32_t block, efm_extent *found)
{
    const uint8_t *at = block_at(store, block), *done = at + EFM_PAGE_DONE * store->page;
    if (!efm_extent_parse(store, at, block, found)) {
        return false;
    }
    found->done =
        efm_load_le32(done) == EFM_MAGIC_DONE && efm_load_le32(done + 4) == efm_load_le32(at + EFM_HEAD_CHECK);
    found->dead = !efm_bytes_blank(at + EFM_PAGE_DEAD * store->page, store->page)
                  || (!found->done && !efm_bytes_blank(done, store->page));
    return true;
}

bool efm_extent_next(const efm_store *store, uint32_t *block, efm_extent *found)
{
    for (; *block < store->blocks; (*block)++) {
        if (efm_extent_read(store, *block, found) && !found->dead && (found->done || *block == store->open)) {
            *block += found->blocks;
            return true;
        }
    }
    return false;
}

bool efm_extent_find(const efm_store *store, const uint8_t *name, uint32_t name_bytes, efm_extent *found)
{
    uint32_t block = 0;
    bool any = false;
    efm_extent here;
    while (efm_extent_next(store, &block, &here)) {
        if (here.done && efm_bytes_same(here.name, here.name_bytes, name, name_bytes)
            && (!any || here.sequence > found->sequence)) {
            *found = here;
            any = true;
        }
    }
    return any;
}

/* -- room --------------------------------------------------------------------------------------- */

bool efm_gap_next(const efm_store *store, uint32_t without, efm_gap *found)
{
    efm_extent held;
    uint32_t block = found->first = found->next;
    if (block >= store->blocks) {
        return false;
    }
    found->end = found->next = store->blocks;
    while (efm_extent_next(store, &block, &held)) {
        if (held.block != without) {
            found->end = held.block;
            found->next = block;
            break;
        }
    }
    return true;
}

uint32_t efm_extent_room(const efm_store *store, uint32_t count, uint32_t without)
{
    uint32_t first = store->blocks;
    efm_gap free = {0};
    while (efm_gap_next(store, without, &free)) {
        uint32_t from = free.first > store->cursor ? free.first : store->cursor;
        if (from < free.end && free.end - from >= count) {
            return from;
        }
        if (first == store->blocks && free.end - free.first >= count) {
            first = free.first;
        }
    }
    return first;
}

uint32_t efm_extent_erases(const efm_store *store, uint32_t block, uint32_t blocks)
{
    uint32_t most = 0;
    efm_extent found;
    for (uint32_t b = 0; b < block + blocks; b++) {
        if (efm_extent_read(store, b, &found)) {
            found.erases -= block >= b + found.blocks && found.erases != 0;
            most = b <= block || found.erases > most ? found.erases : most;
        }
    }
    return most;
}
