/* SPDX-License-Identifier: Apache-2.0 */
/* Workers for tests: parts are made by one thread, the last one first, each in scratch of the size that was asked for.
 * A part that reads what another writes, or writes beside its scratch, is found out. */
#ifndef EFM_BACKWARDS_H
#define EFM_BACKWARDS_H

#include <stdlib.h>
#include <string.h>

#include "edgefm.h"

enum { BACKWARDS = 3, BACKWARDS_GUARD = 8, BACKWARDS_FILL = 0x6B };

static inline void backwards_share(void *context, uint32_t parts, efm_work work, const void *job)
{
    (void)context;
    for (uint32_t part = parts; part-- > 0;) {
        work(job, part);
    }
}

/* efm_run() with such workers. */
static inline efm_status backwards_run(const efm_model *model, const efm_host *host, uint8_t *arena,
                                       uint32_t arena_bytes, efm_counters *counters)
{
    const uint32_t bytes = efm_model_worker_bytes(model) + BACKWARDS_GUARD;
    efm_workers workers = {.count = BACKWARDS, .share = backwards_share, .scratch_bytes = bytes};
    efm_host lent = *host;
    lent.workers = &workers;
    workers.scratch = malloc((size_t)BACKWARDS * bytes);
    if (workers.scratch == NULL) {
        abort();
    }
    memset(workers.scratch, BACKWARDS_FILL, (size_t)BACKWARDS * bytes);
    efm_status status = efm_run(model, &lent, arena, arena_bytes, counters);
    for (uint32_t i = 0; i < BACKWARDS * BACKWARDS_GUARD; i++) {
        if (workers.scratch[(size_t)(i / BACKWARDS_GUARD + 1) * bytes - 1 - i % BACKWARDS_GUARD] != BACKWARDS_FILL) {
            abort();
        }
    }
    free(workers.scratch);
    return status;
}

#endif
