/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of this build, best first: the first that the processor can run is used. No include guard, since it is
 * read wherever EFM_KERNEL_ROW(name) is defined, for declarations and for the table. */
#ifdef EFM_KERNEL_EXTRA
EFM_KERNEL_ROW(EFM_KERNEL_EXTRA)
#endif
#if EFM_KERNEL_AVX512
EFM_KERNEL_ROW(efm_kernel_avx512)
#endif
#if EFM_KERNEL_AVXVNNI
EFM_KERNEL_ROW(efm_kernel_avxvnni)
#endif
#if EFM_KERNEL_X86
EFM_KERNEL_ROW(efm_kernel_avx2)
#endif
#if EFM_KERNEL_NEON_DOT
EFM_KERNEL_ROW(efm_kernel_neon_dot)
#endif
#if EFM_KERNEL_NEON
EFM_KERNEL_ROW(efm_kernel_neon)
#endif
#if EFM_KERNEL_MVE
EFM_KERNEL_ROW(efm_kernel_mve)
#elif EFM_KERNEL_DSP
EFM_KERNEL_ROW(efm_kernel_dsp)
#else
EFM_KERNEL_ROW(efm_kernel_portable)
#endif
