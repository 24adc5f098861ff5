/* SPDX-License-Identifier: Apache-2.0 */
/* A bare image that opens and verifies a package: prints "status, ticks to open, status, ticks to verify" in hex. */
#include "bare.h"
#include "edgefm.h"
#include "edgefm_bytes.h"

enum { AT_BYTES = 8 };

void run(void)
{
    static uint64_t arena[EFM_OPEN_BYTES / 8];
    efm_model model;
    start_ticks();
    uint32_t start = ticks_now();
    efm_status opened =
        efm_model_open(&model, BARE_JOB, efm_load_le32(BARE_JOB + AT_BYTES), (uint8_t *)arena, sizeof arena);
    uint32_t open = ticks_since(start);
    print_hex((uint32_t)-opened);
    print_hex(open);
    start = ticks_now();
    efm_status verified = opened == EFM_OK ? efm_model_verify(&model) : opened;
    uint32_t verify = ticks_since(start);
    print_hex((uint32_t)-verified);
    print_hex(verify);
    end_run();
}
