/* SPDX-License-Identifier: Apache-2.0 */
/* External memory as the executor uses it: rows of maps, raw or coded, counted as they cross. */
#ifndef EFM_MEMORY_H
#define EFM_MEMORY_H

#include "model.h"

/* What LOAD and STORE work on. */
typedef struct efm_cursor {
    const efm_model *model;
    const efm_port *port;
    efm_counters *counters;
    uint8_t *arena;
    const efm_op_view *op;
    const efm_rows *rows;
    efm_map_view map;
} efm_cursor;

/* Brings rows first .. first + count - 1 of the map into the ring, and starts on the next row when the
   port overlaps transfers. */
EFM_MUST_CHECK efm_status efm_memory_load(const efm_cursor *cursor, uint32_t first, uint32_t count);

/* Writes those rows from the ring to the map. The last write may still be under way, its row stays
   untouched until the next call; with the map's last row everything is waited for. */
EFM_MUST_CHECK efm_status efm_memory_store(const efm_cursor *cursor, uint32_t first, uint32_t count);

/* Waits for the transfer that is still under way, if any, of the LOAD or STORE with this scratch. */
efm_status efm_memory_settle(const efm_port *port, uint8_t *scratch);

#endif
