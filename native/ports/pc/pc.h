/* SPDX-License-Identifier: Apache-2.0 */
/* The PC as a board: whole arrays for inputs and outputs, and an external memory that is late. */
#ifndef EFM_PC_H
#define EFM_PC_H

#include "canary.h"
#include "edgefm.h"
#include "late_port.h"
#include "threads.h"

typedef struct efm_pc {
    const efm_model *model;
    const uint8_t *const *inputs;   /* [inputs] whole tensors, row after row */
    uint8_t *const *outputs;        /* [outputs] */
    uint8_t *const *taps;           /* [streams] whole maps to fill, null entries are skipped; or null */
    efm_map_counters *maps;         /* [stored maps] to fill; or null */
    efm_late_port external;
    efm_late_port weights;          /* what is behind the weight port; without memory the package's own are copied */
    const efm_port *weight_port;    /* or another one; or null */
    uint32_t frame;                 /* of a stream, as in efm_host */
    efm_threads *threads;           /* that run it; or null: the caller alone */
    uint8_t *scratch;               /* of efm_workers, with its scratch_bytes and products */
    uint32_t scratch_bytes;
    uint64_t *products;
} efm_pc;

/* Runs the model on whole arrays. Reentrant: everything is in the arguments. */
efm_status efm_pc_run(efm_pc *pc, uint8_t *arena, uint32_t arena_bytes, efm_counters *counters);

#endif
