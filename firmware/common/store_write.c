/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a package. Why each step is safe is written in docs/STORE.md, "Power cuts". */
#include <string.h>

#include "edgefm_bytes.h"
#include "extents.h"
#include "link.h"
#include "store_flash.h"

int efm_store_abort(efm_store *store)
{
    uint32_t block = store->open;
    store->open = store->blocks;
    return block == store->blocks ? EFM_OK : efm_extent_kill(store, block);
}

static void fill_head(efm_store *store, const efm_store_package *package, uint32_t block, uint32_t erases)
{
    uint8_t *head = store->buffer;
    memset(head, 0xff, store->page);
    efm_store_le32(head + EFM_HEAD_MAGIC, EFM_MAGIC_HEAD);
    efm_store_le32(head + EFM_HEAD_SEQUENCE, store->sequence);
    efm_store_le32(head + EFM_HEAD_BLOCK, block);
    efm_store_le32(head + EFM_HEAD_TOTAL, package->bytes);
    efm_store_le32(head + EFM_HEAD_CRC, package->crc);
    efm_store_le32(head + EFM_HEAD_ERASES, erases);
    head[EFM_HEAD_ERASE_LOG] = (uint8_t)efm_log2(store->flash.erase_bytes);
    head[EFM_HEAD_PAGE_LOG] = (uint8_t)efm_log2(store->page);
    head[EFM_HEAD_NAME_BYTES] = (uint8_t)package->name_bytes;
    memcpy(head + EFM_HEAD_NAME, package->name, package->name_bytes);
    efm_store_le32(head + EFM_HEAD_CHECK, efm_crc32(0, head, EFM_HEAD_CHECK));
}

static int start_write(efm_store *store, const efm_store_package *package, uint32_t block, uint32_t blocks)
{
    fill_head(store, package, block, efm_extent_erases(store, block, blocks) + 1);
    store->sequence++;
    store->cursor = block + blocks;
    int status = efm_flash_erase(store, block);
    if (status == EFM_OK) {
        status = efm_page_program(store, block, EFM_PAGE_HEAD, store->buffer);
    }
    if (status == EFM_OK) {
        store->open = block;
        store->taken = 0;
        store->resumed = true;
    }
    return status;
}

/* The first or last page of a block of an extent. */
static bool page_blank(const efm_store *store, const efm_extent *open, uint32_t block, bool last)
{
    uint32_t at = last ? (block + 1) * store->flash.erase_bytes - store->page : block * store->flash.erase_bytes;
    return efm_bytes_blank(open->at + at, store->page);
}

/* Where an interrupted write can go on: a block of the extent of which all before are whole. Before the
   last page of a block is programmed the next block is erased, so the first block whose last page is blank
   is the one written last, or, when it is blank in front as well, the one behind it. */
static uint32_t resume_block(const efm_store *store, const efm_extent *open)
{
    uint32_t front = 0;
    while (front < open->blocks && !page_blank(store, open, front, true)) {
        front++;
    }
    if (front != 0 && (front == open->blocks || page_blank(store, open, front, false))) {
        front--;
    }
    return front;
}

/* Erases the block to go on from. Meanwhile the one behind is blank at both ends, so that resume_block()
   finds this block again whatever a power cut leaves of it. */
static int reopen(efm_store *store, const efm_extent *open, uint32_t front)
{
    uint32_t next = front + 1;
    int status = EFM_OK;
    if (next < open->blocks && !(page_blank(store, open, next, false) && page_blank(store, open, next, true))) {
        status = efm_flash_erase(store, open->block + next);
    }
    if (status == EFM_OK) {
        status = efm_flash_erase(store, open->block + front);
    }
    store->taken = front * store->flash.erase_bytes - efm_head_bytes(store);
    store->resumed = status == EFM_OK;
    return status;
}

static bool is_open(const efm_store *store, const efm_store_package *package, efm_extent *open)
{
    return store->open != store->blocks && efm_extent_read(store, store->open, open) && open->bytes == package->bytes
           && open->crc == package->crc
           && efm_bytes_same(open->name, open->name_bytes, package->name, package->name_bytes);
}

/* Whether there are as many packages as there may be. */
static bool is_full(const efm_store *store)
{
    efm_extent found;
    uint32_t count = 0;
    for (uint32_t block = 0; efm_extent_next(store, &block, &found);) {
        count++;
    }
    return count >= EFM_STORE_FILES_MAX;
}

/* Makes room when it must, then starts a write. */
static int begin_anew(efm_store *store, const efm_store_package *package, bool replace)
{
    efm_extent old;
    uint32_t blocks = efm_extent_blocks(store, package->bytes);
    uint32_t block = efm_extent_room(store, blocks, store->blocks);
    bool replaces = efm_extent_find(store, package->name, package->name_bytes, &old);
    if (!replaces && is_full(store)) {
        return EFM_LINK_TOO_MANY;
    }
    if (block == store->blocks) {
        if (!replaces || efm_extent_room(store, blocks, old.block) == store->blocks) {
            return EFM_LINK_NO_SPACE;
        }
        if (!replace) {
            return EFM_LINK_REFUSED;
        }
        int status = efm_store_remove(store, package->name, package->name_bytes);
        if (status != EFM_OK) {
            return status;
        }
        block = efm_extent_room(store, blocks, store->blocks);
    }
    if (block == store->blocks || store->sequence == UINT32_MAX) { /* a forged head, or four billion writes */
        return EFM_LINK_NO_SPACE;
    }
    return start_write(store, package, block, blocks);
}

int efm_store_begin(efm_store *store, const efm_store_package *package, bool replace, uint32_t *start)
{
    efm_extent open;
    *start = 0;
    if (package->name_bytes == 0 || package->name_bytes > EFM_STORE_NAME_MAX) {
        return EFM_BAD_ARGUMENT;
    }
    int status = efm_store_settle(store);
    if (status != EFM_OK) {
        return status;
    }
    if (is_open(store, package, &open)) {
        uint32_t front = store->resumed ? 0 : resume_block(store, &open);
        status = front == 0 ? EFM_OK : reopen(store, &open, front);
        if (store->resumed || status != EFM_OK) {
            *start = store->taken;
            return status;
        }
    }
    (void)!efm_store_abort(store); /* a newer head outdates it even where marking fails */
    return begin_anew(store, package, replace);
}

/* The buffered page of a package, `taken` behind its last byte. */
static int write_page(efm_store *store, const efm_extent *open)
{
    uint32_t unit = store->flash.program_bytes, erase_bytes = store->flash.erase_bytes;
    uint32_t filled = (store->taken - 1) % store->page + 1;
    uint32_t at = efm_head_bytes(store) + store->taken - filled;
    uint32_t block = at / erase_bytes;
    int status = EFM_OK;
    efm_extent forged;
    memset(store->buffer + filled, 0xff, store->page - filled);
    if (at % erase_bytes == 0 && efm_extent_parse(store, store->buffer, open->block + block, &forged)) {
        return EFM_LINK_REFUSED;
    }
    if ((at + store->page) % erase_bytes == 0 && block + 1 < open->blocks) {
        status = efm_flash_erase(store, open->block + block + 1);
    }
    if (status == EFM_OK) {
        status =
            efm_flash_program(store, open->block * erase_bytes + at, store->buffer, (filled + unit - 1) & ~(unit - 1));
    }
    return status;
}

int efm_store_append(efm_store *store, const uint8_t *bytes, uint32_t count)
{
    efm_extent open;
    if (store->open == store->blocks || !store->resumed || !efm_extent_read(store, store->open, &open)
        || count > open.bytes - store->taken) {
        return EFM_BAD_ARGUMENT;
    }
    while (count != 0) {
        uint32_t at = store->taken % store->page, room = store->page - at;
        uint32_t part = count < room ? count : room;
        memcpy(store->buffer + at, bytes, part);
        bytes += part;
        count -= part;
        store->taken += part;
        int status = part == room || store->taken == open.bytes ? write_page(store, &open) : EFM_OK;
        if (status != EFM_OK) {
            store->resumed = false;
            return status;
        }
    }
    return EFM_OK;
}

static int write_done(efm_store *store, const efm_extent *open)
{
    memset(store->buffer, 0xff, store->page);
    efm_store_le32(store->buffer, EFM_MAGIC_DONE);
    efm_store_le32(store->buffer + 4, efm_load_le32(open->at + EFM_HEAD_CHECK));
    return efm_page_program(store, open->block, EFM_PAGE_DONE, store->buffer);
}

int efm_store_commit(efm_store *store)
{
    efm_extent open;
    if (store->open == store->blocks || !store->resumed || !efm_extent_read(store, store->open, &open)) {
        return EFM_BAD_ARGUMENT;
    }
    if (store->taken != open.bytes) {
        return EFM_LINK_INCOMPLETE;
    }
    const uint8_t *at = open.at + efm_head_bytes(store);
    int status = efm_crc32(0, at, open.bytes) == open.crc ? EFM_OK : EFM_BAD_CHECKSUM;
    if (status == EFM_OK && store->accept != NULL) {
        status = store->accept(store->context, at, open.bytes);
    }
    if (status == EFM_OK) {
        store->unsettled = store->open; /* flash that fails may hold the commit all the same */
        status = write_done(store, &open);
    }
    if (status != EFM_OK) {
        (void)!efm_store_abort(store);
        return status;
    }
    store->open = store->blocks;
    (void)!efm_store_settle(store); /* else before anything else is written, or at the next mount */
    return EFM_OK;
}
