/* SPDX-License-Identifier: Apache-2.0 */
#define EFM_SHARED_HERE
#include "kernel.h"

/* Where a build for size does not inline it. */
extern inline const int8_t *efm_depthwise_row(const efm_depthwise_call *call, uint32_t r, uint32_t i);

static const efm_kernel *const kernels[] = {
#define EFM_KERNEL_ROW(name) &name,
#include "list.h"
#undef EFM_KERNEL_ROW
};

/* The last is usable wherever the build runs. */
const efm_kernel *efm_kernel_choose(void)
{
    const efm_kernel *const *kernel = kernels;
    while (!(*kernel)->usable()) {
        kernel++;
    }
    return *kernel;
}
