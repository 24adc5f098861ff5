/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_CURSOR_H
#define EFM_CURSOR_H

#include "../model.h"

/* What a firing of LOAD or STORE has moved: less than 4 GiB, as the map has. */
typedef struct efm_moved {
    uint32_t bytes, rows, halves; /* pairs of rows that are one row twice */
    uint32_t raw_rows, capped_rows, largest_shift; /* as in efm_map_counters */
} efm_moved;

/* What LOAD and STORE work on. */
typedef struct efm_cursor {
    const efm_model *model;
    const efm_host *host;
    efm_counters *counters;
    efm_moved *moved;         /* added to the run's and the map's counters at the firing's end */
    uint8_t *arena;
    const efm_op_view *op;
    uint32_t index;           /* of the operator */
    const efm_rows *rows;
    efm_map_view map;
} efm_cursor;

/* The state of the map's cap, in the control region. */
static inline uint8_t *efm_cursor_cap_state(const efm_cursor *cursor)
{
    return cursor->arena + efm_model_caps_offset(cursor->model) + (cursor->map.cap - 1) * EFM_CAP_STATE_BYTES;
}

#endif
