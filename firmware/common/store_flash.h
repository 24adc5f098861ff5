/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does to its flash: it erases, programs and ends packages. For store.c and store_write.c alone. */
#ifndef EFM_STORE_FLASH_H
#define EFM_STORE_FLASH_H

#include "extents.h"

EFM_MUST_CHECK int efm_flash_erase(efm_store *store, uint32_t block);

/* Programs a page or its front, and looks whether it holds what it was given. */
EFM_MUST_CHECK int efm_flash_program(efm_store *store, uint32_t offset, const uint8_t *from, uint32_t bytes);

EFM_MUST_CHECK int efm_page_program(efm_store *store, uint32_t block, uint32_t page, const uint8_t *from);

/* Fills the DEAD page of the extent at this block. */
EFM_MUST_CHECK int efm_extent_kill(efm_store *store, uint32_t block);

/* Ends a committed extent, and the heads inside it. */
EFM_MUST_CHECK int efm_extent_retire(efm_store *store, const efm_extent *old);

/* Whether the unsettled write is a package, and has taken the place of this one. */
bool efm_extent_is_replaced(const efm_store *store, const efm_extent *found);

/* Ends the packages that the unsettled write has replaced. While that fails nothing may be written, so that no other
   name is ever there twice. */
EFM_MUST_CHECK int efm_store_settle(efm_store *store);

#endif
