/* SPDX-License-Identifier: Apache-2.0 */
/* Running a stored package for a host: rows of its inputs come over the line or from the store, its
   outputs are kept for reading, what it takes is told in events. */
#ifndef EFM_INFERENCE_H
#define EFM_INFERENCE_H

#include "link.h"
#include "profile.h"
#include "sha256.h"
#include "store.h"

/* What the firmware lends; `listen` takes bytes from the line, at least one when `wait`, and returns
   false when the line is gone for good. */
typedef struct efm_inference_host {
    const efm_board *board;
    efm_link *link;
    bool timer_works;
    bool (*listen)(void *context, bool wait);
    void *context;
} efm_inference_host;

typedef struct efm_inference {
    efm_inference_host host;
    efm_model model;
    efm_watch watch;
    efm_run_end end;       /* of the run under way, or the last one */
    const uint8_t *stored; /* the rest of the input in the store; null: it comes over the line */
    const uint8_t *weights; /* of the package, where it has them behind a port, and their number */
    uint32_t weight_bytes;
    bool fetching;         /* some of them are under way */
    uint32_t pulled_crc;   /* CRC-32 of what came over the line, of all runs of the last RUN */
    bool tell_stages, tell_maps;
    uint32_t map_count;     /* stored maps of the last run's package */
    efm_map_counters *maps; /* of the last run, behind its outputs in the board's results; or null */
    bool kept;             /* the outputs of the last run are in the board's results */
    bool in_order;         /* rows of outputs came one output after the other so far */
    uint32_t output_at;    /* bytes of outputs so far */
    uint32_t outputs;      /* of the last run */
    uint32_t output_end[EFM_MAX_ENDS]; /* byte behind each; the package may be gone when they are read */
    uint8_t package[8];    /* of the SHA-256 of the package `hashed` */
    efm_store_entry hashed;
    bool unchanged;        /* nothing was committed to the store since the last model was prepared */
    efm_sha256 hash;
    uint8_t frame[EFM_LINK_HEAD_BYTES + EFM_RUN_END_BYTES + EFM_LINK_CRC_BYTES];
} efm_inference;

void efm_inference_init(efm_inference *inference, const efm_inference_host *host);

enum { EFM_RUN_TELL_STAGES = 1, EFM_RUN_TELL_MAPS = 2 }; /* flags of RUN */

/* Why a run was refused: `what` was needed, and how much was there. `what` is null where the status
   says it all. */
typedef struct efm_reason {
    const char *what;
    uint64_t need, have;
} efm_reason;

/* For efm_store.accept: a package is one that this board can run, and whole; other files are let through. The
   status is the runtime's, EFM_BAD_ARGUMENT for memory that the board does not have. */
EFM_MUST_CHECK int efm_inference_accept(void *context, const uint8_t *at, uint32_t bytes);

/* Runs `package` `times` times on what `input` holds, or when it is null on what comes over the line.
   Returns the first status that is not EFM_OK. */
int efm_inference_run(efm_inference *inference, const efm_store_entry *package, const efm_store_entry *input,
                      uint32_t flags, uint32_t times, efm_reason *reason);

/* Output `number` of the last run; EFM_LINK_NOT_FOUND: there is none, EFM_LINK_REFUSED: not kept. */
int efm_inference_output(const efm_inference *inference, uint32_t number, const uint8_t **at, uint32_t *bytes);

/* How many maps the last run has counted one by one, into `maps`; EFM_LINK_NOT_FOUND: it was not to, or
   failed, EFM_LINK_REFUSED: their counters did not fit. */
int efm_inference_maps(const efm_inference *inference, uint32_t *count);

#endif
