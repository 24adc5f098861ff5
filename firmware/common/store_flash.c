/* SPDX-License-Identifier: Apache-2.0 */
/* Why each step is safe is written in docs/STORE.md, "Power cuts". */
#include "store_flash.h"

#include "link.h"

int efm_flash_erase(efm_store *store, uint32_t block)
{
    uint32_t offset = block * store->flash.erase_bytes;
    return store->flash.erase(store->flash.context, offset) == 0 ? EFM_OK : EFM_PORT_FAILED;
}

int efm_flash_program(efm_store *store, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    const efm_flash *flash = &store->flash;
    bool well = flash->program(flash->context, offset, from, bytes) == 0
                && efm_bytes_same(flash->at + offset, bytes, from, bytes);
    return well ? EFM_OK : EFM_PORT_FAILED;
}

int efm_page_program(efm_store *store, uint32_t block, uint32_t page, const uint8_t *from)
{
    return efm_flash_program(store, block * store->flash.erase_bytes + page * store->page, from, store->page);
}

int efm_extent_kill(efm_store *store, uint32_t block)
{
    static const uint8_t zeros[EFM_STORE_PAGE_MAX];
    return efm_page_program(store, block, EFM_PAGE_DEAD, zeros);
}

/* A head inside the extent, which only forged flash has, would come to light and hide what lies behind it: it goes
   first. */
int efm_extent_retire(efm_store *store, const efm_extent *old)
{
    efm_extent inside;
    int status = EFM_OK;
    for (uint32_t block = old->block + 1; status == EFM_OK && block < old->block + old->blocks; block++) {
        if (efm_extent_read(store, block, &inside)) {
            status = efm_flash_erase(store, block);
        }
    }
    return status == EFM_OK ? efm_extent_kill(store, old->block) : status;
}

bool efm_extent_is_replaced(const efm_store *store, const efm_extent *found)
{
    efm_extent newest;
    return store->unsettled != store->blocks && store->unsettled != found->block && found->done
           && efm_extent_read(store, store->unsettled, &newest) && newest.done && !newest.dead
           && efm_bytes_same(found->name, found->name_bytes, newest.name, newest.name_bytes);
}

int efm_store_settle(efm_store *store)
{
    efm_extent found;
    int status = EFM_OK;
    if (store->unsettled == store->blocks) {
        return EFM_OK;
    }
    for (uint32_t block = 0; status == EFM_OK && efm_extent_next(store, &block, &found);) {
        if (efm_extent_is_replaced(store, &found)) {
            status = efm_extent_retire(store, &found);
        }
    }
    if (status == EFM_OK) {
        store->unsettled = store->blocks;
    }
    return status;
}
