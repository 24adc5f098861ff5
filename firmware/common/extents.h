/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the model store's flash: extents, runs of blocks with a head and a package; docs/STORE.md.
 * Nothing here writes. */
#ifndef EFM_EXTENTS_H
#define EFM_EXTENTS_H

#include "store.h"

/* Offsets in the head page. */
enum {
    EFM_HEAD_MAGIC = 0,
    EFM_HEAD_SEQUENCE = 4,
    EFM_HEAD_BLOCK = 8,
    EFM_HEAD_TOTAL = 12,
    EFM_HEAD_CRC = 16,
    EFM_HEAD_ERASES = 20,
    EFM_HEAD_ERASE_LOG = 24,
    EFM_HEAD_PAGE_LOG = 25,
    EFM_HEAD_NAME_BYTES = 26,
    EFM_HEAD_RESERVED = 27,
    EFM_HEAD_NAME = 28,
    EFM_HEAD_CHECK = 60
};
enum { EFM_PAGE_HEAD = 0, EFM_PAGE_DEAD = 1, EFM_PAGE_DONE = 2 };

#define EFM_MAGIC_HEAD 0x534d4645u /* "EFMS" */
#define EFM_MAGIC_DONE 0x434d4645u /* "EFMC" */

/* A run of blocks that begins with a sound head. */
typedef struct efm_extent {
    const uint8_t *at;
    uint32_t block, blocks;
    uint32_t sequence, bytes, crc, erases;
    const uint8_t *name;
    uint32_t name_bytes;
    bool done; /* committed */
    bool dead; /* removed, or can never be committed */
} efm_extent;

/* Free blocks in one piece: the first, and the one behind the last; `next` is where to look on. */
typedef struct efm_gap {
    uint32_t first, end, next;
} efm_gap;

bool efm_bytes_same(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes);
bool efm_bytes_blank(const uint8_t *at, uint32_t bytes);
uint32_t efm_log2(uint32_t power);

static inline uint32_t efm_head_bytes(const efm_store *store)
{
    return EFM_STORE_HEAD_PAGES * store->page;
}

/* Blocks of a package, more than there are when it is too large. */
uint32_t efm_extent_blocks(const efm_store *store, uint32_t bytes);

/* Whether these bytes would be a head at the front of a block; fills all but done and dead. */
bool efm_extent_parse(const efm_store *store, const uint8_t *at, uint32_t block, efm_extent *extent);

bool efm_extent_read(const efm_store *store, uint32_t block, efm_extent *extent);

/* The next extent that may not be written over, at or behind *block, which moves behind it. */
bool efm_extent_next(const efm_store *store, uint32_t *block, efm_extent *extent);

/* The committed extent of a name, the newest where there is another. */
bool efm_extent_find(const efm_store *store, const uint8_t *name, uint32_t name_bytes, efm_extent *extent);

/* The next gap, as if the extent at block `without` were not there; begin with all 0. */
bool efm_gap_next(const efm_store *store, uint32_t without, efm_gap *gap);

/* First of `count` free blocks in one piece, the extent at block `without` not counted: the next behind the
   newest write, to spread wear, else the first of all; `blocks` when there are none. */
uint32_t efm_extent_room(const efm_store *store, uint32_t count, uint32_t without);

/* Erases of the most erased block of these, as far as known. A head tells of its extent; the blocks from there to
   the next head were part of extents whose heads it or another replaced, and so were erased less often. */
uint32_t efm_extent_erases(const efm_store *store, uint32_t block, uint32_t blocks);

#endif
