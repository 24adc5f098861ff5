/* SPDX-License-Identifier: Apache-2.0 */
/* The text commands of MLPerf Tiny's runner, so that it drives a board as it is; docs/PROTOCOL.md, "Text".
 *
 *     efm_mlperf text;
 *     efm_mlperf_init(&text, &host);
 *     for (;;)
 *         efm_mlperf_feed(&text, uart_read()); // "name%" -> "m-name-dut-[my-board]\r\nm-ready\r\n"
 *
 * Bytes in, bytes out. Frames of the link may be on the same line, and are fed as well: what is not all text
 * is dropped, as the link drops text. */
#ifndef EFM_MLPERF_H
#define EFM_MLPERF_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

/* 0: without what a runner does without: `help`, `db print` and `model`. */
#ifndef EFM_WITH_HELP
#define EFM_WITH_HELP 1
#endif

enum { EFM_MLPERF_LINE = 80 }; /* bytes of a command before its '%' */

/* Memory and callbacks from the firmware. Callbacks that return int return an efm_status or one of link.h. */
typedef struct efm_mlperf_host {
    void *context;             /* of model, infer and result */
    void *line, *clock;        /* contexts of write and ticks */
    const char *board;
    uint8_t *input;            /* room for one set of inputs, which infer() is given */
    uint32_t input_bytes;
    uint32_t ticks_per_second; /* 0: ticks are instructions, and laps say so */
    uint64_t (*ticks)(void *clock); /* null: they do not advance, laps are refused */
    void (*write)(void *line, const uint8_t *bytes, uint32_t count);
    /* Name of the model that runs, without ".efm"; false when there is none. */
    bool (*model)(void *context, const uint8_t **name, uint32_t *name_bytes);
    /* Makes another model the one that runs; false when there is none of this name. */
    bool (*choose)(void *context, const uint8_t *name, uint32_t name_bytes);
    /* `fresh`: the first time since these bytes were loaded. */
    int (*infer)(void *context, uint8_t *input, uint32_t bytes, bool fresh);
    /* Value `index` of the last inference's output, in thousandths; false after the last. */
    bool (*result)(void *context, uint32_t index, int64_t *thousandths);
} efm_mlperf_host;

typedef struct efm_mlperf {
    efm_mlperf_host host;
    efm_answer out;
    uint32_t line_bytes;
    bool framed;         /* the caller's: frames may come, so bytes that are not text spoil all up to a zero */
    bool spoilt;         /* the line holds bytes that are not text, or is too long */
    bool inferred;       /* there are results */
    bool fresh;          /* the input was not used yet */
    uint32_t expected;   /* bytes of input announced by "db load" */
    uint32_t loaded;     /* of them, so far */
    uint8_t line[EFM_MLPERF_LINE];
} efm_mlperf;

/* Says nothing; efm_mlperf_greet() is what the reference firmware says when it starts. */
void efm_mlperf_init(efm_mlperf *text, const efm_mlperf_host *host);

void efm_mlperf_greet(const efm_mlperf *text);

/* Takes a byte from the line, carries out the command that it ends, and answers. */
void efm_mlperf_feed(efm_mlperf *text, uint8_t byte);

#endif
