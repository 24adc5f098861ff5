/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

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
