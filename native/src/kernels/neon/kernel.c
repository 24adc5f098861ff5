/* SPDX-License-Identifier: Apache-2.0 */
/* The NEON kernels, and what the processor has. */
#include "conv.h"
#include "depthwise.h"

#if EFM_KERNEL_NEON

/* What the compiler may use everywhere is there; the rest Linux tells, in bits of AT_HWCAP. */
#if defined(__linux__)
#include <sys/auxv.h>
#define HAS(bit) ((getauxval(AT_HWCAP) >> (bit) & 1) != 0)
#else
#define HAS(bit) 0
#endif

enum { BIT_NEON = 12 /* 32 bits */, BIT_DOT = 20 /* 64 bits */ };

enum { IN_PLACE = 1 /* fewest bytes of a run: the kernel joins small ones itself, of more pixels at a time */ };

static efm_scratch no_scratch(const efm_tile *tile)
{
    (void)tile;
    return (efm_scratch){0, 0};
}

static uint32_t no_depthwise_scratch(const efm_depthwise_call *call)
{
    (void)call;
    return 0;
}

static void conv(const efm_conv_call *call)
{
    efm_neon_conv(call, &efm_neon_loops_multiply);
}

static void depthwise(const efm_depthwise_call *call)
{
    efm_neon_depthwise(call, 0);
}

static uint32_t conv_pack_bytes(const efm_tile *rows)
{
    return efm_neon_conv_pack_bytes(rows, &efm_neon_loops_multiply);
}

static void conv_pack(const efm_tile *rows, uint8_t *to)
{
    efm_neon_conv_pack(rows, &efm_neon_loops_multiply, to);
}

static int usable(void)
{
#if defined(__ARM_NEON)
    return 1;
#else
    return HAS(BIT_NEON);
#endif
}

enum { PACKINGS = 1 << EFM_PACKING_ROWS };

const efm_kernel efm_kernel_neon = {.name = "neon",
                                    .usable = usable,
                                    .conv_packings = PACKINGS,
                                    .depthwise_packings = PACKINGS,
                                    .alignment = 16,
                                    .run_bytes = IN_PLACE,
                                    .conv = conv,
                                    .depthwise = depthwise,
                                    .conv_scratch = no_scratch,
                                    .depthwise_scratch = no_depthwise_scratch,
                                    .conv_pack_bytes = conv_pack_bytes,
                                    .conv_pack = conv_pack,
                                    .depthwise_pack_bytes = efm_neon_depthwise_pack_bytes,
                                    .depthwise_pack = efm_neon_depthwise_pack};

#if EFM_KERNEL_NEON_DOT

static void dot_conv(const efm_conv_call *call)
{
    efm_neon_conv(call, &efm_neon_loops_dot);
}

static void dot_depthwise(const efm_depthwise_call *call)
{
    efm_neon_depthwise(call, 1);
}

static uint32_t dot_conv_pack_bytes(const efm_tile *rows)
{
    return efm_neon_conv_pack_bytes(rows, &efm_neon_loops_dot);
}

static void dot_conv_pack(const efm_tile *rows, uint8_t *to)
{
    efm_neon_conv_pack(rows, &efm_neon_loops_dot, to);
}

static int dot_usable(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return 1;
#else
    return HAS(BIT_DOT);
#endif
}

const efm_kernel efm_kernel_neon_dot = {.name = "neondot",
                                        .usable = dot_usable,
                                        .conv_packings = PACKINGS,
                                        .depthwise_packings = PACKINGS,
                                        .alignment = 16,
                                        .run_bytes = IN_PLACE,
                                        .conv = dot_conv,
                                        .depthwise = dot_depthwise,
                                        .conv_scratch = no_scratch,
                                        .depthwise_scratch = no_depthwise_scratch,
                                        .conv_pack_bytes = dot_conv_pack_bytes,
                                        .conv_pack = dot_conv_pack,
                                        .depthwise_pack_bytes = efm_neon_depthwise_pack_bytes,
                                        .depthwise_pack = efm_neon_depthwise_pack};

#endif
#endif
