/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's data watchpoint and trace unit (DWT), as the architecture reference manuals of Armv7-M and Armv8-M have it. */
#include "bare.h"
#include "cortex_m.h"

#define DEMCR      0xE000EDFCu
#define DWT_CTRL   0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DWT_LAR    0xE0001FB0u /* of Cortex-M7; no register elsewhere */

enum { TRACE_ON = 1 << 24, CYCLES_ON = 1 };

bool efm_cycles_start(void)
{
    *efm_register(DEMCR) |= TRACE_ON;
    *efm_register(DWT_LAR) = 0xC5ACCE55u;
    *efm_register(DWT_CTRL) |= CYCLES_ON;
    uint32_t before = *efm_register(DWT_CYCCNT);
    return efm_becomes(efm_register(DWT_CTRL), CYCLES_ON, CYCLES_ON) && *efm_register(DWT_CYCCNT) != before;
}

uint64_t efm_cycles(void *context)
{
    (void)context;
    return efm_extend(*efm_register(DWT_CYCCNT));
}
