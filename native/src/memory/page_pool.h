/* SPDX-License-Identifier: Apache-2.0 */
/* The page pool: coded rows of maps that stay in fast memory, as one chain of pages per map. Rows follow
 * one another without gaps; a page returns to the pool when the last reader is through with its rows. */
#ifndef EFM_PAGE_POOL_H
#define EFM_PAGE_POOL_H

#include "cursor.h"

/* Puts `bytes` behind the rows of the cursor's map. EFM_BAD_SCHEDULE when the pool is out of pages, which
   a plan that keeps its caps never is. */
EFM_MUST_CHECK efm_status efm_pool_append(const efm_cursor *cursor, const uint8_t *from, uint32_t bytes);

/* Takes the next `bytes` that this LOAD has not read, from row 0 on. */
EFM_MUST_CHECK efm_status efm_pool_read(const efm_cursor *cursor, uint32_t y, uint8_t *to, uint32_t bytes);

/* Gives the first `bytes` of the map back, which are row `y`, when this LOAD is the one that does. */
EFM_MUST_CHECK efm_status efm_pool_release(const efm_cursor *cursor, uint32_t y, uint32_t bytes);

#endif
