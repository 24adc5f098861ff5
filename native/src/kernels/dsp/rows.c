/* SPDX-License-Identifier: Apache-2.0 */
/* CONV of packing ROWS without scratch: two pixels by two channels, both widened as they are read. 16 products take 20
 * instructions and a share of the loop: 1.34 a product.
 *
 *     r0 r1 x of two pixels    r2 r3 w of two channels    r4 r5 sums of the first pixel, r6 r7 of the second
 *     r8 r9 halves of the first pixel's bytes, r10 r11 of the second's    r12 lr halves of a channel's */
#include "assembly.h"
#include "dsp.h"

#if EFM_KERNEL_DSP

enum { MOST_PIXELS = 16 /* that sums are kept of */ };

/* A pair of channels of some pixels. */
typedef struct rows_block {
    efm_dsp_channel channel[2];
    const int8_t *w;          /* of the first channel */
    uint32_t apart;           /* bytes from it to the second's */
    const int8_t *const *in;  /* [pixels][runs] */
    int8_t *const *out;       /* [pixels] */
    uint32_t at[2];           /* as in efm_dsp_block */
    uint32_t runs, run_bytes;
    uint32_t pixels;
    int32_t *sums;            /* not null: [pixels rounded up to even][2], and no bytes to `out` */
    const int32_t *start;     /* what sums of a pixel begin with: [pixels rounded up to even] */
    uint32_t unused;          /* the stack has more from here on */
} rows_block;

_Static_assert(offsetof(rows_block, w) == 32 && offsetof(rows_block, in) == 40, "as below");
_Static_assert(offsetof(rows_block, out) == 44 && offsetof(rows_block, at) == 48, "as below");
_Static_assert(offsetof(rows_block, runs) == 56 && offsetof(rows_block, pixels) == 64, "as below");
_Static_assert(offsetof(rows_block, sums) == 68 && offsetof(rows_block, start) == 72, "as below");
_Static_assert(sizeof(rows_block) == 80, "as below");

/* One instruction a line. */
/* clang-format off */

#define PRODUCTS(s, t) \
    "sxtb16 lr, r12, ror #8\n" \
    "sxtb16 r12, r12\n" \
    "smlad " s ", r8, r12, " s "\n" \
    "smlad " t ", r10, r12, " t "\n" \
    "smlad " s ", r9, lr, " s "\n" \
    "smlad " t ", r11, lr, " t "\n"

#define STEP \
    "ldr r8, [r0], #4\n" \
    "ldr r10, [r1], #4\n" \
    "ldr r12, [r2], #4\n" \
    "sxtb16 r9, r8, ror #8\n" \
    "sxtb16 r11, r10, ror #8\n" \
    "sxtb16 r8, r8\n" \
    "sxtb16 r10, r10\n" \
    PRODUCTS("r4", "r6") \
    "ldr r12, [r3], #4\n" \
    PRODUCTS("r5", "r7")

#define START(v)  "add " v ", r0, " v ", lsl #1\n"
#define FINISH(v) EFM_DSP_FINISH(v, "r1", "r2", "r3", "r0")

/* The stack: the block, with `in`, `out`, `sums` and `start` moving on; at 76 and 80 the lists of the two pixels, at 84
   the runs that are left, at 88 and 92 where the words and the bytes of x end. */
EFM_DSP_ASM static void make_rows(const rows_block *block)
{
    __asm(
        ".syntax unified\n"
        "push {r4-r11, lr}\n"
        "sub sp, sp, #16\n"
        "add r1, r0, #40\n"
        "ldm r1, {r2-r11}\n"
        "push {r2-r11}\n"
        "ldm r0, {r2-r11}\n"
        "push {r2-r11}\n"
        "1:\n" /* two pixels, or the last twice */
        "ldr r8, [sp, #40]\n"
        "ldr r9, [sp, #56]\n"
        "ldr r10, [sp, #64]\n"
        "mov r11, r8\n"
        "cmp r10, #1\n"
        "it ne\n"
        "addne r11, r8, r9, lsl #2\n"
        "str r8, [sp, #76]\n"
        "str r11, [sp, #80]\n"
        "str r9, [sp, #84]\n"
        "ldr r2, [sp, #32]\n"
        "ldr r3, [sp, #36]\n"
        "add r3, r2, r3\n"
        "ldr r8, [sp, #72]\n"
        "ldm r8!, {r4, r6}\n"
        "str r8, [sp, #72]\n"
        "mov r5, r4\n"
        "mov r7, r6\n"
        "2:\n" /* a run */
        "ldr r8, [sp, #76]\n"
        "ldr r9, [sp, #80]\n"
        "ldr r10, [sp, #60]\n"
        "ldr r0, [r8], #4\n"
        "ldr r1, [r9], #4\n"
        "str r8, [sp, #76]\n"
        "str r9, [sp, #80]\n"
        "add r8, r0, r10\n"
        "str r8, [sp, #92]\n"
        "lsrs r9, r10, #2\n"
        "beq 5f\n"
        "add r8, r0, r9, lsl #2\n"
        "str r8, [sp, #88]\n"
        "tst r9, #1\n"
        "bne 4f\n"
        "3:\n"
        STEP
        "4:\n"
        STEP
        "ldr r8, [sp, #88]\n"
        "cmp r0, r8\n"
        "bne 3b\n"
        "5:\n"
        "ldr r12, [sp, #92]\n"
        "cmp r0, r12\n"
        "beq 7f\n"
        "6:\n" /* bytes behind the words */
        "ldrsb r8, [r0], #1\n"
        "ldrsb r10, [r1], #1\n"
        "ldrsb r9, [r2], #1\n"
        "ldrsb r11, [r3], #1\n"
        "smlabb r4, r8, r9, r4\n"
        "smlabb r5, r8, r11, r5\n"
        "smlabb r6, r10, r9, r6\n"
        "smlabb r7, r10, r11, r7\n"
        "cmp r0, r12\n"
        "bne 6b\n"
        "7:\n"
        "ldr r8, [sp, #84]\n"
        "subs r8, r8, #1\n"
        "str r8, [sp, #84]\n"
        "bne 2b\n"
        "ldr r8, [sp, #68]\n"
        "cmp r8, #0\n"
        "bne 8f\n"
        "ldm sp, {r0-r3}\n"
        START("r4") START("r6") FINISH("r4") FINISH("r6")
        "add r8, sp, #16\n"
        "ldm r8, {r0-r3}\n"
        START("r5") START("r7") FINISH("r5") FINISH("r7")
        "ldr r8, [sp, #44]\n"
        "ldr r9, [sp, #64]\n"
        "ldr r0, [r8], #4\n"
        "mov r1, r0\n"
        "cmp r9, #1\n"
        "it ne\n"
        "ldrne r1, [r8], #4\n"
        "str r8, [sp, #44]\n"
        EFM_DSP_LOAD_TWO("r2", "r3", "48", "52")
        "strb r5, [r0, r3]\n"
        "strb r7, [r1, r3]\n"
        "strb r4, [r0, r2]\n"
        "strb r6, [r1, r2]\n"
        "b 9f\n"
        "8:\n"
        "stm r8!, {r4-r7}\n"
        "str r8, [sp, #68]\n"
        "9:\n"
        "ldr r8, [sp, #40]\n"
        "ldr r9, [sp, #56]\n"
        "ldr r10, [sp, #64]\n"
        "add r8, r8, r9, lsl #3\n"
        "str r8, [sp, #40]\n"
        "subs r10, r10, #2\n"
        "str r10, [sp, #64]\n"
        "bgt 1b\n"
        "add sp, sp, #96\n"
        "pop {r4-r11, pc}\n"
    );
}

/* clang-format on */

/* What sums of pixels p .. p + n - 1 begin with: sum x * (w - zero) = sum x * w - zero * sum x */
static void start_sums(const efm_conv_call *call, uint32_t p, uint32_t n, int32_t zero, int32_t *start)
{
    const int8_t *const *in = call->in + (size_t)p * call->runs;
    for (uint32_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (uint32_t run = 0; zero != 0 && run < call->runs; run++, in++) {
            for (uint32_t k = 0; k < call->run_bytes; k++) {
                sum += (*in)[k];
            }
        }
        start[i] = -zero * sum;
    }
    start[n] = start[n - 1]; /* the last pixel is made twice where their number is odd */
}

static __attribute__((noinline)) void settle(const efm_conv_call *call, const efm_table *table, rows_block *block,
                                             uint32_t p)
{
    int32_t sums[2 * MOST_PIXELS];
    block->sums = sums;
    make_rows(block);
    for (uint32_t i = 0; i < block->pixels; i++) {
        efm_dsp_settle(call, table, p + i, block->at[0], block->at[1] - block->at[0] + 1, sums + 2 * i);
    }
}

/* `n` pixels from pixel p on, at most MOST_PIXELS. */
static void make_pixels(const efm_conv_call *call, const efm_table *table, uint32_t p, uint32_t n, int quick)
{
    int32_t start[MOST_PIXELS + 1];
    uint32_t out = call->tile.out;
    rows_block block;
    start_sums(call, p, n, table->weight_zero, start);
    block.in = call->in + (size_t)p * call->runs;
    block.out = call->out + p;
    block.runs = call->runs;
    block.run_bytes = call->run_bytes;
    block.pixels = n;
    block.start = start;
    block.unused = 0;
    for (uint32_t o = 0; o < out; o += 2) {
        uint32_t other = o + 1 < out ? o + 1 : o;
        block.w = call->tile.weights + (size_t)o * call->tile.depth;
        block.apart = (other - o) * call->tile.depth;
        block.at[0] = o, block.at[1] = other;
        block.sums = 0;
        if (quick
            && efm_dsp_channel_read(table, o, &block.channel[0])
                   & efm_dsp_channel_read(table, other, &block.channel[1])) {
            make_rows(&block);
        } else {
            settle(call, table, &block, p);
        }
    }
}

void efm_dsp_rows(const efm_conv_call *call, const efm_table *table)
{
    int quick = call->flags == 0 && efm_dsp_proved(table);
    for (uint32_t p = 0; p < call->pixels; p += MOST_PIXELS) {
        uint32_t left = call->pixels - p;
        make_pixels(call, table, p, left < MOST_PIXELS ? left : MOST_PIXELS, quick);
    }
}

#endif
