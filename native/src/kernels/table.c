/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

static const efm_kernel *const kernels[] = {
    /* best first; the last is usable wherever the build runs */
#if EFM_KERNEL_AVX512
    &efm_kernel_avx512,
#endif
#if EFM_KERNEL_AVXVNNI
    &efm_kernel_avxvnni,
#endif
#if EFM_KERNEL_X86
    &efm_kernel_avx2,
#endif
#if EFM_KERNEL_NEON_DOT
    &efm_kernel_neon_dot,
#endif
#if EFM_KERNEL_NEON
    &efm_kernel_neon,
#endif
#if EFM_KERNEL_MVE
    &efm_kernel_mve,
#elif EFM_KERNEL_DSP
    &efm_kernel_dsp,
#else
    &efm_kernel_portable,
#endif
};

const efm_kernel *efm_kernel_choose(void)
{
    const efm_kernel *const *kernel = kernels;
    while (!(*kernel)->usable()) {
        kernel++;
    }
    return *kernel;
}
