/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the store, and removing it; store_write.c writes. */
#include "store.h"

#include <string.h>

#include "extents.h"
#include "link.h"
#include "store_flash.h"

static bool is_power(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool usable(const efm_flash *flash, uint32_t page)
{
    return flash->at != NULL && flash->erase != NULL && flash->program != NULL && is_power(flash->erase_bytes)
           && is_power(flash->program_bytes) && page <= EFM_STORE_PAGE_MAX && flash->erase_bytes >= 4 * page
           && flash->bytes >= flash->erase_bytes && flash->bytes % flash->erase_bytes == 0;
}

/* The newest write of all is the only one that can be unfinished and go on, or may have replaced a package that
   is still there. Heads inside packages, which only forged flash has, count too: whatever comes to light later
   is older than all that is written from now on. */
static void scan(efm_store *store)
{
    efm_extent found;
    uint32_t behind = 0; /* the packages so far */
    for (uint32_t block = 0; block < store->blocks; block++) {
        if (!efm_extent_read(store, block, &found)) {
            continue;
        }
        bool alive = block >= behind && !found.dead;
        if (found.sequence + 1 >= store->sequence) {
            uint32_t newest = alive && found.sequence >= store->sequence ? block : store->blocks;
            store->sequence = found.sequence + 1;
            store->cursor = block + found.blocks;
            store->open = found.done ? store->blocks : newest;
            store->unsettled = newest;
        }
        if (alive && found.done) {
            behind = block + found.blocks;
        }
    }
}

int efm_store_mount(efm_store *store, const efm_flash *flash)
{
    memset(store, 0, sizeof *store);
    store->flash = *flash;
    store->page = flash->program_bytes > EFM_STORE_PAGE_MIN ? flash->program_bytes : EFM_STORE_PAGE_MIN;
    if (!usable(flash, store->page)) {
        return EFM_BAD_ARGUMENT;
    }
    store->blocks = store->open = store->unsettled = flash->bytes / flash->erase_bytes;
    scan(store);
    (void)!efm_store_settle(store); /* tried again before anything is written */
    return EFM_OK;
}

static void describe(const efm_store *store, const efm_extent *found, efm_store_entry *entry)
{
    entry->name = found->name;
    entry->name_bytes = found->name_bytes;
    entry->at = found->at + efm_head_bytes(store);
    entry->bytes = found->bytes;
    entry->crc = found->crc;
}

bool efm_store_next(const efm_store *store, uint32_t *cursor, efm_store_entry *entry)
{
    efm_extent found;
    while (efm_extent_next(store, cursor, &found)) {
        if (found.done && !efm_extent_is_replaced(store, &found)) {
            describe(store, &found, entry);
            return true;
        }
    }
    return false;
}

bool efm_store_find(const efm_store *store, const uint8_t *name, uint32_t name_bytes, efm_store_entry *entry)
{
    efm_extent found;
    if (!efm_extent_find(store, name, name_bytes, &found)) {
        return false;
    }
    describe(store, &found, entry);
    return true;
}

void efm_store_measure(const efm_store *store, efm_store_space *space)
{
    efm_gap free = {0};
    uint32_t largest = 0, count = 0;
    while (efm_gap_next(store, store->open, &free)) {
        count += free.end - free.first;
        if (free.end - free.first > largest) {
            largest = free.end - free.first;
        }
    }
    space->bytes = store->flash.bytes;
    space->free = count * store->flash.erase_bytes;
    space->largest = largest == 0 ? 0 : largest * store->flash.erase_bytes - efm_head_bytes(store);
    space->erases = efm_extent_erases(store, 0, store->blocks);
}

int efm_store_remove(efm_store *store, const uint8_t *name, uint32_t name_bytes)
{
    efm_extent found;
    int status = efm_store_settle(store);
    if (status == EFM_OK && !efm_extent_find(store, name, name_bytes, &found)) {
        return EFM_LINK_NOT_FOUND;
    }
    if (status == EFM_OK) {
        store->unsettled = found.block; /* older ones, which only forged flash has, go first: none comes back */
        status = efm_store_settle(store);
    }
    return status == EFM_OK ? efm_extent_retire(store, &found) : status;
}
