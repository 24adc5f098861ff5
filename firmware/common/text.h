/* SPDX-License-Identifier: Apache-2.0 */
/* What MLPerf Tiny's text commands run: a package of the store, on input that is kept in the board's
 * memory for results. */
#ifndef EFM_TEXT_H
#define EFM_TEXT_H

#include "inference.h"
#include "mlperf.h"

/* 0: no text commands, some 3 KiB of code less. */
#ifndef EFM_WITH_TEXT
#define EFM_WITH_TEXT 1
#endif

/* 0: an int8 input is taken as it is, never as float32. */
#ifndef EFM_WITH_FLOATS
#define EFM_WITH_FLOATS 1
#endif

typedef struct efm_text {
    efm_mlperf mlperf;
    const efm_board *board;
    const efm_store *store; /* null when there is none */
    efm_inference *inference;
    uint64_t apart;         /* ticks of runs that were not computing */
    uint32_t before;        /* the last three bytes */
    uint8_t *rows;          /* the input as the package takes it, of the last `db load` */
    uint32_t rows_bytes;
    uint32_t floats;        /* real numbers that it was given as, 0 where it was given in other types */
    uint32_t chosen_bytes;  /* of the name of the package that was chosen to run */
    uint8_t chosen[EFM_STORE_NAME_MAX];
} efm_text;

/* `write` sends what the commands answer. */
void efm_text_init(efm_text *text, const efm_board *board, const efm_store *store, efm_inference *inference,
                   void (*write)(void *context, const uint8_t *bytes, uint32_t count), void *context);

/* Takes a byte from the line; nothing while the link is busy. */
void efm_text_feed(efm_text *text, uint8_t byte);

#endif
