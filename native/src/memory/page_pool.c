/* SPDX-License-Identifier: Apache-2.0 */
#include "page_pool.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"

/* A map's chain, in its cap's state; pages are numbered from 1, 0 is none. A cap's state, its credit and
   shift included, and the pool's lie where no buffer, scratch or directory can reach: see check_maps.c. */
enum {
    CHAIN_BYTES = 4,
    CHAIN_HEAD = 8,
    CHAIN_HEAD_AT = 10,
    CHAIN_TAIL = 12,
    CHAIN_TAIL_USED = 14,
    CHAIN_RELEASED = 16,
    POOL_FREE = 0,
    POOL_FRESH = 2,
    POOL_USED = 4,
    CURSOR_PAGE = 8,
    CURSOR_AT = 10 /* of a LOAD's scratch */
};

static uint8_t *chain_of(const efm_cursor *c)
{
    return efm_cursor_cap_state(c);
}

static uint8_t *pool_state(const efm_cursor *c)
{
    return c->arena + efm_model_pool_offset(c->model);
}

static uint8_t *link_of(const efm_cursor *c, uint32_t page)
{
    return pool_state(c) + EFM_POOL_STATE_BYTES + (page - 1) * EFM_LINK_BYTES;
}

static uint8_t *page_at(const efm_cursor *c, uint32_t page, uint32_t at)
{
    return c->arena + efm_model_field(c->model, EFM_AT_POOL) + (size_t)(page - 1) * efm_model_page_bytes(c->model) + at;
}

/* A free page, or 0. One that was used before is preferred: pages are first used in order, when all
   before them are taken, and an empty pool starts over, so that the planner knows how far up the pool
   reaches at any time. */
static uint32_t take_page(const efm_cursor *c)
{
    uint8_t *pool = pool_state(c);
    uint32_t page = efm_load_le16(pool + POOL_FREE), used = efm_load_le16(pool + POOL_USED) + 1u;
    if (page != 0) {
        efm_store_le16(pool + POOL_FREE, efm_load_le16(link_of(c, page)));
    } else {
        page = efm_load_le16(pool + POOL_FRESH) + 1u;
        if (page > efm_model_pool_pages(c->model)) {
            return 0;
        }
        efm_store_le16(pool + POOL_FRESH, (uint16_t)page);
    }
    efm_store_le16(link_of(c, page), 0);
    efm_store_le16(pool + POOL_USED, (uint16_t)used);
    if (used > c->counters->pool_pages) {
        c->counters->pool_pages = used;
    }
    return page;
}

static void give_page(const efm_cursor *c, uint32_t page)
{
    uint8_t *pool = pool_state(c);
    uint32_t used = efm_load_le16(pool + POOL_USED) - 1u;
    efm_store_le16(link_of(c, page), efm_load_le16(pool + POOL_FREE));
    efm_store_le16(pool + POOL_FREE, (uint16_t)page);
    efm_store_le16(pool + POOL_USED, (uint16_t)used);
    if (used == 0) {
        memset(pool, 0, POOL_USED);
    }
}

/* A new page at the chain's end, or 0. */
static uint32_t grow(const efm_cursor *c)
{
    uint8_t *chain = chain_of(c);
    uint32_t page = take_page(c), tail = efm_load_le16(chain + CHAIN_TAIL);
    if (page == 0) {
        return 0;
    }
    if (tail == 0) {
        efm_store_le16(chain + CHAIN_HEAD, (uint16_t)page);
        efm_store_le16(chain + CHAIN_HEAD_AT, 0);
    } else {
        efm_store_le16(link_of(c, tail), (uint16_t)page);
    }
    efm_store_le16(chain + CHAIN_TAIL, (uint16_t)page);
    efm_store_le16(chain + CHAIN_TAIL_USED, 0);
    return page;
}

efm_status efm_pool_append(const efm_cursor *c, const uint8_t *from, uint32_t bytes)
{
    uint8_t *chain = chain_of(c);
    uint32_t size = efm_model_page_bytes(c->model);
    efm_store_le32(chain + CHAIN_BYTES, efm_load_le32(chain + CHAIN_BYTES) + bytes);
    while (bytes > 0) {
        uint32_t tail = efm_load_le16(chain + CHAIN_TAIL), used = efm_load_le16(chain + CHAIN_TAIL_USED);
        if (tail == 0 || used == size) {
            tail = grow(c);
            used = 0;
        }
        if (tail == 0) {
            return EFM_BAD_SCHEDULE;
        }
        uint32_t part = bytes < size - used ? bytes : size - used;
        memmove(page_at(c, tail, used), from, part);
        efm_store_le16(chain + CHAIN_TAIL_USED, (uint16_t)(used + part));
        from += part;
        bytes -= part;
    }
    return EFM_OK;
}

efm_status efm_pool_read(const efm_cursor *c, uint32_t y, uint8_t *to, uint32_t bytes)
{
    const uint8_t *chain = chain_of(c);
    uint8_t *cursor = c->arena + c->op->scratch;
    uint32_t size = efm_model_page_bytes(c->model);
    if (efm_load_le16(chain + CHAIN_RELEASED) > y) {
        return EFM_BAD_SCHEDULE; /* another LOAD gave the row back */
    }
    if (y == 0) {
        memcpy(cursor + CURSOR_PAGE, chain + CHAIN_HEAD, 4);
    }
    uint32_t page = efm_load_le16(cursor + CURSOR_PAGE), at = efm_load_le16(cursor + CURSOR_AT);
    while (bytes > 0) {
        if (page == 0 || page > efm_model_pool_pages(c->model) || at > size) {
            return EFM_BAD_SCHEDULE; /* a forged package can have a ring where the cursor is */
        }
        uint32_t part = bytes < size - at ? bytes : size - at;
        memmove(to, page_at(c, page, at), part);
        to += part;
        bytes -= part;
        at += part;
        if (bytes > 0) {
            page = efm_load_le16(link_of(c, page));
            at = 0;
        }
    }
    if (at == size) {
        page = efm_load_le16(link_of(c, page));
        at = 0;
    }
    efm_store_le16(cursor + CURSOR_PAGE, (uint16_t)page);
    efm_store_le16(cursor + CURSOR_AT, (uint16_t)at);
    return EFM_OK;
}

efm_status efm_pool_release(const efm_cursor *c, uint32_t y, uint32_t bytes)
{
    uint8_t *chain = chain_of(c);
    uint32_t size = efm_model_page_bytes(c->model), left = efm_load_le32(chain + CHAIN_BYTES);
    uint32_t head = efm_load_le16(chain + CHAIN_HEAD), at = efm_load_le16(chain + CHAIN_HEAD_AT) + bytes;
    if (efm_load_le16(chain + CHAIN_RELEASED) != y || bytes > left) {
        return EFM_BAD_SCHEDULE; /* directories of forged maps overlap */
    }
    for (; at >= size; at -= size) {
        uint32_t next = efm_load_le16(link_of(c, head));
        give_page(c, head);
        head = next;
    }
    if (left == bytes) {
        if (head != 0) {
            give_page(c, head);
        }
        head = at = 0;
        efm_store_le16(chain + CHAIN_TAIL, 0);
    }
    efm_store_le16(chain + CHAIN_HEAD, (uint16_t)head);
    efm_store_le16(chain + CHAIN_HEAD_AT, (uint16_t)at);
    efm_store_le32(chain + CHAIN_BYTES, left - bytes);
    efm_store_le16(chain + CHAIN_RELEASED, (uint16_t)(y + 1));
    return EFM_OK;
}
