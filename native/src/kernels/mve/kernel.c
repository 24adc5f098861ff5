/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for Cortex-M55, M85 and others with the integer vectors of Armv8.1-M (MVE, Helium). */
#include "mve.h"

#if EFM_KERNEL_MVE

static int usable(void)
{
    return 1; /* the compiler was told that they are there */
}

const efm_kernel efm_kernel_mve = {.name = "mve",
                                   .usable = usable,
                                   .conv_packings = 1u << EFM_PACKING_ROWS,
                                   .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                   .alignment = 1,
                                   .run_bytes = 16,
                                   .gathered = 12,
                                   .pixels = 3,
                                   .conv = efm_mve_conv,
                                   .depthwise = efm_mve_depthwise,
                                   .conv_scratch = efm_portable_conv_scratch,
                                   .depthwise_scratch = efm_mve_depthwise_scratch};

#endif
