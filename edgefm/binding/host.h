/* SPDX-License-Identifier: Apache-2.0 */
/* The PC as a board: whole arrays for inputs and outputs, and external memory whose transfers happen
 * as late as the port allows, so that a runtime that touches a row in flight is found out. */
#ifndef EFM_HOST_H
#define EFM_HOST_H

#include "edgefm.h"

enum { EFM_HOST_FLIGHTS = 64 };

typedef struct efm_flight {
    int busy;
    int reads;
    uint32_t address;
    uint32_t bytes;
    uint8_t *at;
} efm_flight;

typedef struct efm_pc {
    const efm_model *model;
    const uint8_t *const *inputs;   /* [inputs] whole tensors, row after row */
    uint8_t *const *outputs;        /* [outputs] */
    uint8_t *const *taps;           /* [streams] whole maps to fill, null entries are skipped; or null */
    uint8_t *external;
    uint32_t external_bytes;
    efm_flight flight[EFM_HOST_FLIGHTS];
} efm_pc;

/* Runs the model on whole arrays. Reentrant: everything is in the arguments. */
efm_status efm_pc_run(efm_pc *pc, uint8_t *arena, uint32_t arena_bytes, efm_counters *counters);

#endif
