/* SPDX-License-Identifier: Apache-2.0 */
/* Every switch of the runtime with its default, beside those of ops/list.h and codecs/list.h: operators and codecs
 * are in unless -DEFM_WITH_<NAME>=0 leaves them out. Set with -D, never edited. docs/PORTING.md 4 has their cost. */
#ifndef EFM_CONFIG_H
#define EFM_CONFIG_H

#include "switches.h"

/* Kernels for x86-64 beside the portable one, used where the processor has what they need: AVX2, and, unless switched
 * off, AVX-VNNI and AVX-512 VNNI. 2 builds the code for AVX-VNNI with AVX-512 VL, to test it where only that is. */
#ifndef EFM_KERNEL_X86
#if defined(__x86_64__) && defined(__GNUC__)
#define EFM_KERNEL_X86 1
#else
#define EFM_KERNEL_X86 0
#endif
#endif

/* Compilers take minutes to instrument the latter two: builds with sanitizers have AVX2 unless told otherwise. */
#if defined(__SANITIZE_ADDRESS__)
#define EFM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define EFM_SANITIZED 1
#endif
#endif

#ifndef EFM_KERNEL_AVX512
#ifdef EFM_SANITIZED
#define EFM_KERNEL_AVX512 0
#else
#define EFM_KERNEL_AVX512 EFM_KERNEL_X86
#endif
#endif

#ifndef EFM_KERNEL_AVXVNNI
#ifdef EFM_SANITIZED
#define EFM_KERNEL_AVXVNNI 0
#else
#define EFM_KERNEL_AVXVNNI EFM_KERNEL_X86
#endif
#endif

/* A kernel with the vectors of Cortex-M55 and M85, instead of the next and the portable one. */
#ifndef EFM_KERNEL_MVE
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define EFM_KERNEL_MVE 1
#else
#define EFM_KERNEL_MVE 0
#endif
#endif

/* A kernel with the SIMD instructions of Cortex-M4 and others beside the portable one. */
#ifndef EFM_KERNEL_DSP
#if !EFM_KERNEL_MVE && defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define EFM_KERNEL_DSP 1
#else
#define EFM_KERNEL_DSP 0
#endif
#endif

/* Kernels with NEON: on AArch64, with SDOT where the processor has it, and on ARMv7-A, also in programs for ARMv6 that
   may run there. A compiler that is not told of NEON has to know target attributes for it: GCC does. */
#ifndef EFM_KERNEL_NEON
#if !defined(__GNUC__) || defined(__AARCH64EB__) || defined(__ARM_BIG_ENDIAN)
#define EFM_KERNEL_NEON 0
#elif defined(__aarch64__) || (defined(__arm__) && defined(__ARM_NEON))
#define EFM_KERNEL_NEON 1
#elif defined(__arm__) && defined(__ARM_FP) && defined(__linux__) && !defined(__clang__) \
    && (__ARM_ARCH == 7 || (__ARM_ARCH == 6 && !defined(__thumb__)))
#define EFM_KERNEL_NEON 1
#else
#define EFM_KERNEL_NEON 0
#endif
#endif

/* The one with SDOT, where a compiler can be told to use it in some functions only, or may everywhere. */
#ifndef EFM_KERNEL_NEON_DOT
#if EFM_KERNEL_NEON && defined(__aarch64__) \
    && (!defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD))
#define EFM_KERNEL_NEON_DOT 1
#else
#define EFM_KERNEL_NEON_DOT 0
#endif
#endif

/* Products of 32 bits are multiplied in halves where a longer one is a call: Cortex-M0, M0+, M23. */
#ifndef EFM_PRODUCTS_OF_32_BITS
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define EFM_PRODUCTS_OF_32_BITS 1
#else
#define EFM_PRODUCTS_OF_32_BITS 0
#endif
#endif

/* ADD, MUL and sums of pixels in the processor's own way: vectors, or upper halves of products. */
#ifndef EFM_KERNEL_ELEMENTS
#define EFM_KERNEL_ELEMENTS 1
#endif
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define EFM_ELEMENTS_MVE EFM_KERNEL_ELEMENTS
#else
#define EFM_ELEMENTS_MVE 0
#endif
#if defined(__ARM_NEON) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define EFM_ELEMENTS_NEON EFM_KERNEL_ELEMENTS
#else
#define EFM_ELEMENTS_NEON 0
#endif
#define EFM_ELEMENTS_VECTORS (EFM_ELEMENTS_MVE || EFM_ELEMENTS_NEON || (EFM_KERNEL_ELEMENTS && EFM_KERNEL_X86))
#define EFM_ELEMENTS_DSP     (EFM_KERNEL_ELEMENTS && EFM_KERNEL_DSP && !EFM_ELEMENTS_VECTORS)

/* A kernel from outside the tree goes before all others where -DEFM_KERNEL_EXTRA=efm_kernel_<name> names it. */
#ifdef EFM_KERNEL_EXTRA
#define EFM_HAS_EXTRA 1
#else
#define EFM_HAS_EXTRA 0
#endif

/* Where the compiler optimizes for size, it calls a function of a header that it does not inline in the one file that
   defines EFM_SHARED_HERE, and has it once where all files are one. Such functions may call EFM_SHARED_INLINE ones,
   which are inlined everywhere. One function of a file, EFM_SPLIT, serves calls of which each has else a copy. */
#if (defined(__OPTIMIZE_SIZE__) || defined(EFM_SHARED_HERE)) && !defined(EFM_AMALGAMATED)
#define EFM_SHARED inline
#else
#define EFM_SHARED static inline
#endif
#if defined(__GNUC__)
#define EFM_SHARED_INLINE EFM_SHARED __attribute__((always_inline))
#else
#define EFM_SHARED_INLINE static inline
#endif
#if !defined(__GNUC__)
#define EFM_SPLIT static
#elif defined(__OPTIMIZE_SIZE__)
#define EFM_SPLIT static __attribute__((noinline))
#else
#define EFM_SPLIT static inline __attribute__((always_inline))
#endif

/* efm_model_prepare(): on where a kernel has a packing of its own. */
#ifndef EFM_WITH_PREPARE
#define EFM_WITH_PREPARE (EFM_KERNEL_X86 || EFM_KERNEL_NEON || EFM_HAS_EXTRA)
#endif

/* The row tap of edgefm.h, for comparing with a PC. */
#ifndef EFM_WITH_TAP
#define EFM_WITH_TAP 0
#endif

/* Firings shared out among threads that the host lends, for hosts with several cores. */
#ifndef EFM_WITH_WORKERS
#define EFM_WITH_WORKERS 0
#endif

/* Multiply-adds, and what equals them in time, that are worth a part of their own: a microsecond or more. */
#ifndef EFM_LEAST_WORK
#define EFM_LEAST_WORK 65536
#endif

/* CONV whose weights are plain rows, and DEPTHWISE that is not 3x3 or has no scratch for it: the kernel for Cortex-M4
   has loops of their own for these, and refuses them without. */
#ifndef EFM_WITH_CONV_ROWS
#define EFM_WITH_CONV_ROWS 1
#endif
#ifndef EFM_WITH_DEPTHWISE_WINDOWS
#define EFM_WITH_DEPTHWISE_WINDOWS 1
#endif

/* Stored maps, and with them external memory: LOAD and STORE. */
#ifndef EFM_WITH_MAPS
#define EFM_WITH_MAPS 1
#endif

/* Hard caps, and the page pool of maps that stay coded in fast memory. */
#ifndef EFM_WITH_CAPS
#define EFM_WITH_CAPS EFM_WITH_MAPS
#endif

/* Quality maps of tiles inside the rows of capped maps. */
#ifndef EFM_WITH_TILES
#define EFM_WITH_TILES EFM_WITH_CAPS
#endif

/* Weights that are coded or in several tiles, beside those that are one tile and read in place. */
#ifndef EFM_WITH_WEIGHT_CODES
#define EFM_WITH_WEIGHT_CODES 1
#endif

/* Weights in memory that is not mapped, which are read through a port, tile by tile. */
#ifndef EFM_WITH_WEIGHT_PORT
#define EFM_WITH_WEIGHT_PORT EFM_WITH_WEIGHT_CODES
#endif
#if EFM_WITH_WEIGHT_PORT && !EFM_WITH_WEIGHT_CODES
#error "EFM_WITH_WEIGHT_PORT needs EFM_WITH_WEIGHT_CODES"
#endif

#endif
