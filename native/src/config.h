/* SPDX-License-Identifier: Apache-2.0 */
/* Every switch of the runtime with its default; set with -D, never edited. */
#ifndef EFM_CONFIG_H
#define EFM_CONFIG_H

/* A kernel with AVX2 beside the portable one, used where the processor has it: 6 KB of code. */
#ifndef EFM_KERNEL_X86
#if defined(__x86_64__) && defined(__GNUC__)
#define EFM_KERNEL_X86 1
#else
#define EFM_KERNEL_X86 0
#endif
#endif

/* A kernel with the SIMD instructions of Cortex-M4 and others beside the portable one: 0.5 KB. */
#ifndef EFM_KERNEL_DSP
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN)
#define EFM_KERNEL_DSP 1
#else
#define EFM_KERNEL_DSP 0
#endif
#endif

/* The row tap of edgefm.h, for comparing with a PC: 160 bytes. */
#ifndef EFM_WITH_TAP
#define EFM_WITH_TAP 0
#endif

/* Operators: 0 leaves one out, and its code with it where the linker drops unused sections. */
#ifndef EFM_WITH_VIEW
#define EFM_WITH_VIEW 1
#endif
#ifndef EFM_WITH_CONV
#define EFM_WITH_CONV 1
#endif
#ifndef EFM_WITH_DEPTHWISE
#define EFM_WITH_DEPTHWISE 1
#endif
#ifndef EFM_WITH_ADD
#define EFM_WITH_ADD 1
#endif
#ifndef EFM_WITH_MUL
#define EFM_WITH_MUL 1
#endif
#ifndef EFM_WITH_AVERAGE_POOL
#define EFM_WITH_AVERAGE_POOL 1
#endif
#ifndef EFM_WITH_MAX_POOL
#define EFM_WITH_MAX_POOL 1
#endif
#ifndef EFM_WITH_MEAN
#define EFM_WITH_MEAN 1
#endif
#ifndef EFM_WITH_LUT
#define EFM_WITH_LUT 1
#endif
#ifndef EFM_WITH_SOFTMAX
#define EFM_WITH_SOFTMAX 1
#endif
#ifndef EFM_WITH_RESHAPE
#define EFM_WITH_RESHAPE 1
#endif
#ifndef EFM_WITH_CONCAT_CHANNELS
#define EFM_WITH_CONCAT_CHANNELS 1
#endif
#ifndef EFM_WITH_CONCAT_ROWS
#define EFM_WITH_CONCAT_ROWS 1
#endif
#ifndef EFM_WITH_PAD
#define EFM_WITH_PAD 1
#endif
#ifndef EFM_WITH_TRANSPOSE
#define EFM_WITH_TRANSPOSE 1
#endif
#ifndef EFM_WITH_QUANTIZE
#define EFM_WITH_QUANTIZE 1
#endif
#ifndef EFM_WITH_DEQUANTIZE
#define EFM_WITH_DEQUANTIZE 1
#endif
#ifndef EFM_WITH_RESIZE_BILINEAR
#define EFM_WITH_RESIZE_BILINEAR 1
#endif
#ifndef EFM_WITH_RESIZE_NEAREST
#define EFM_WITH_RESIZE_NEAREST 1
#endif
#ifndef EFM_WITH_ARGMAX
#define EFM_WITH_ARGMAX 1
#endif
#ifndef EFM_WITH_DETECTION
#define EFM_WITH_DETECTION 1
#endif

/* Codecs: as operators. */
#ifndef EFM_WITH_RLE
#define EFM_WITH_RLE 1
#endif
#ifndef EFM_WITH_ZVC
#define EFM_WITH_ZVC 1
#endif
#ifndef EFM_WITH_EBPC
#define EFM_WITH_EBPC 1
#endif
#ifndef EFM_WITH_CONTEXT
#define EFM_WITH_CONTEXT 1
#endif
#ifndef EFM_WITH_MIX
#define EFM_WITH_MIX 1
#endif
#ifndef EFM_WITH_RICE
#define EFM_WITH_RICE 1
#endif
#ifndef EFM_WITH_TANS
#define EFM_WITH_TANS 1
#endif
#ifndef EFM_WITH_DCTCM
#define EFM_WITH_DCTCM 1
#endif
#ifndef EFM_WITH_GF2
#define EFM_WITH_GF2 1
#endif
#ifndef EFM_WITH_TEMPORAL
#define EFM_WITH_TEMPORAL 1
#endif

/* Hard caps, and the page pool of maps that stay coded in fast memory: 1.5 KB. */
#ifndef EFM_WITH_CAPS
#define EFM_WITH_CAPS 1
#endif

/* Quality maps of tiles inside the rows of capped maps: 0.6 KB. */
#ifndef EFM_WITH_TILES
#define EFM_WITH_TILES EFM_WITH_CAPS
#endif

#endif
