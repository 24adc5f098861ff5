/* SPDX-License-Identifier: Apache-2.0 */
/* Stored maps as the executor uses them: rows in external memory, raw or coded, counted as they cross its
 * port, and coded rows in the page pool. */
#ifndef EFM_MEMORY_H
#define EFM_MEMORY_H

#include "cursor.h"

/* Brings rows first .. first + count - 1 of the map into the ring, and starts on the next row when the
   port overlaps transfers. */
EFM_MUST_CHECK efm_status efm_memory_load(efm_cursor *cursor, uint32_t first, uint32_t count);

/* Writes those rows from the ring to the map; those of a capped map in no more bytes than it has left. The
   last write may still be under way, its row stays untouched until the next call; with the map's last row
   everything is waited for. */
EFM_MUST_CHECK efm_status efm_memory_store(efm_cursor *cursor, uint32_t first, uint32_t count);

/* Waits for the transfer that is still under way, if any, of the LOAD or STORE with this scratch. */
efm_status efm_memory_settle(const efm_port *port, uint8_t *scratch);

#endif
