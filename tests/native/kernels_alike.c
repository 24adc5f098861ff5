/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel that this machine would choose against the portable one: random calls with odd sizes, extreme values and
 * tables, and guard bytes around everything. Prints each call that differs, and how many do; 0 is well.
 * docs/PORTING.md has the command that runs it with a kernel from outside the tree. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200112L
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"
#include "kernels/table.h"
#include "packings.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#include <sys/mman.h>
#define GUARD_PAGES 1 /* a byte too far is a fault, without sanitizers, which take minutes to compile some kernels */
#endif

enum { ROUNDS = 1500, GUARD = 0x5a, MOST_PIXELS = 24, MOST_RUNS = 12, MOST_OUT = 72, MOST_NAME = 8 };

static uint32_t state = 1;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t below(uint32_t n)
{
    return draw() % n;
}

static int8_t byte(void)
{
    static const int8_t extreme[] = {-128, 127, -1, 0};
    uint32_t v = draw();
    return v & 0x300 ? (int8_t)v : extreme[v & 3];
}

static int32_t word(void)
{
    static const int32_t extreme[] = {INT32_MIN, INT32_MAX, -1, 0, 1, INT32_MIN + 1, 1 << 30, -(1 << 30)};
    uint32_t v = draw();
    return (v & 7) == 0 ? extreme[v >> 8 & 7] : (int32_t)draw() >> (v >> 8 & 31);
}

enum { PAGE = 1 << 16, NOTE = 2 * sizeof(size_t) }; /* a page of any processor; what a mapping's end says of it */

/* Exactly as many bytes as asked for, the last of them in front of what may not be touched. */
static void *memory(size_t bytes)
{
#if GUARD_PAGES
    size_t room = (bytes + NOTE + PAGE - 1) / PAGE * PAGE;
    uint8_t *at = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at + room, PAGE, PROT_NONE) != 0) {
        abort();
    }
    uint8_t *p = at + room - bytes;
    size_t note[2] = {(size_t)(p - at), room + PAGE};
    memcpy(p - NOTE, note, NOTE);
#else
    void *p = malloc(bytes ? bytes : 1);
    if (p == NULL) {
        abort();
    }
#endif
    return p;
}

static void release(void *p)
{
#if GUARD_PAGES
    size_t note[2];
    memcpy(note, (uint8_t *)p - NOTE, NOTE);
    munmap((uint8_t *)p - note[0], note[1]);
#else
    free(p);
#endif
}

static int8_t *bytes(size_t n)
{
    int8_t *p = memory(n);
    for (size_t i = 0; i < n; i++) {
        p[i] = byte();
    }
    return p;
}

/* Some tiles have none but zeros. */
static int8_t *weights(size_t n)
{
    int8_t *p = bytes(n);
    if (below(6) == 0) {
        memset(p, 0, n);
    }
    return p;
}

/* A table for sums of `depth` products. `proved`: its channels keep what the flag says. */
static uint8_t *table(uint32_t out, uint32_t depth, const int8_t *w, uint32_t step, uint32_t stride, int once)
{
    uint8_t *t = memory(EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * (size_t)out);
    int wild = below(3) == 0, full = below(2), proved = !wild && !once;
    int32_t low = full ? -128 : byte(), high = full ? 127 : byte(), zero = below(4) == 0 ? byte() : 0;
    t[EFM_TABLE_AT_LOW] = (uint8_t)(low < high ? low : high);
    t[EFM_TABLE_AT_HIGH] = (uint8_t)(low < high ? high : low);
    t[EFM_TABLE_AT_WEIGHT_ZERO] = (uint8_t)zero;
    efm_store_le32(t + EFM_TABLE_AT_ZERO_POINT, (uint32_t)(int32_t)(wild && below(9) == 0 ? word() : byte()));
    for (uint32_t o = 0; o < out; o++) {
        uint8_t *at = t + EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * o;
        int64_t most = 0;
        for (uint32_t k = 0; k < depth; k++) {
            most += 128 * llabs(w[o * stride + k * step] - zero);
        }
        int32_t bias = wild ? word() : (int32_t)(draw() & 0xffff) - 0x8000;
        int32_t shift = wild ? (int32_t)below(64) : EFM_SHIFT_MAX + 1 - 8 - (int32_t)below(24);
        if (below(8) == 0 && !wild) {
            bias = (int32_t)(draw() & 0x1fffffff) - 0x10000000;
        }
        if (most == 0 && !wild) { /* every sum is the bias: covers each way to round, and limits of what is proved */
            shift = 30 - (int32_t)below(5);
            bias = (int32_t)below(4096) - 2048;
        }
        if (below(64) == 0) {
            bias = (below(2) ? 1 : -1) * ((1 << 30) - 100 + (int32_t)below(200));
        }
        proved &= shift < 31 && most + llabs(bias) < 1 << 30;
        efm_store_le32(at + EFM_CHANNEL_AT_BIAS, (uint32_t)bias);
        efm_store_le32(at + EFM_CHANNEL_AT_MULTIPLIER,
                       (uint32_t)(wild ? word() : (int32_t)(draw() | 1 << 30)) & INT32_MAX);
        efm_store_le32(at + EFM_CHANNEL_AT_SHIFT, (uint32_t)shift << 22 | (draw() & 0x3fffff));
    }
    t[EFM_TABLE_AT_FLAGS] = (uint8_t)((once ? EFM_TABLE_ROUND_ONCE : 0) | (proved ? EFM_TABLE_PROVED : 0));
    return t;
}

/* -- CONV ------------------------------------------------------------------------------------------------- */

typedef struct results {
    int8_t *out;
    int32_t *sums;
    uint32_t out_bytes, sums_count;
} results;

/* The tile in the kernel's own packing, where it has one; the memory to free, or null. */
static uint8_t *own(uint32_t (*pack_bytes)(const efm_tile *), void (*pack)(const efm_tile *, uint8_t *), efm_tile *tile)
{
    uint32_t size = pack_bytes != NULL && below(4) != 0 ? pack_bytes(tile) : 0;
    if (size == 0) {
        return NULL;
    }
    uint8_t *packed = NULL;
    if (posix_memalign((void **)&packed, 64, size) != 0) {
        abort();
    }
    memset(packed, GUARD, size);
    pack(tile, packed);
    *tile = (efm_tile){.table = packed, .out = tile->out, .depth = tile->depth, .packing = EFM_PACKING_OWN};
    return packed;
}

/* The tile in a packing of files that the kernel reads, now and then; the memory to free, or null. */
static uint8_t *other_packing(const efm_kernel *kernel, efm_tile *tile)
{
    uint8_t *packed = NULL;
    uint32_t packing = EFM_PACKING_ROWS + 1 + below(2);
    if (kernel->conv_packings >> packing & 1 && below(3) != 0) {
        *tile = pack(tile, packing, below(2) == 0, &packed);
    }
    return packed;
}

/* Where the results of pixel p go; pixels lie apart and in no order. */
static void conv_once(const efm_kernel *kernel, const efm_conv_call *asked, const results *to, uint32_t stride)
{
    efm_conv_call call = *asked;
    int8_t *out[MOST_PIXELS];
    int32_t *sums[MOST_PIXELS];
    for (uint32_t p = 0; p < call.pixels; p++) {
        out[p] = to->out + (call.pixels - 1 - p) * stride;
        sums[p] = to->sums + (call.pixels - 1 - p) * call.tile.out;
    }
    uint8_t *other = other_packing(kernel, &call.tile);
    efm_scratch need = kernel->conv_scratch(&call.tile);
    call.scratch_bytes = (need.fixed + need.each * call.pixels + (below(2) ? below(9) * 600 : 0) + 7) & ~7u;
    call.scratch = memory(call.scratch_bytes);
    call.out = out;
    call.sums = sums;
    uint8_t *packed = own(kernel->conv_pack_bytes, kernel->conv_pack, &call.tile);
    kernel->conv(&call);
    free(packed), free(other);
    release(call.scratch);
}

static int conv_differs(const efm_kernel *kernel, uint32_t round)
{
    efm_conv_call call = {.pixels = 1 + below(MOST_PIXELS), .runs = below(2) ? 1 : 1 + below(MOST_RUNS)};
    call.run_bytes = below(3) == 0 ? 1 + below(130) : 4 * (1 + below(48));
    call.flags = below(6) == 0 ? below(4) : 0;
    call.run_bytes += below(30) == 0 ? 600 : 0; /* deeper than some kernels take at once */
    call.tile.out = below(2) ? 4 * (1 + below(MOST_OUT / 4)) : 1 + below(MOST_OUT);
    call.tile.out += below(8) == 0 ? 130 : 0;
    call.tile.depth = call.runs * call.run_bytes;
    call.tile.packing = EFM_PACKING_ROWS;
    int once = below(5) == 0, wrong = 0;
    int8_t *w = weights((size_t)call.tile.out * call.tile.depth);
    int symmetric = below(2) == 0; /* as most networks are: without -128 */
    for (uint32_t i = 0; symmetric && i < call.tile.out * call.tile.depth; i++) {
        w[i] = (int8_t)(w[i] == INT8_MIN ? -INT8_MAX : w[i]);
    }
    uint8_t *t = table(call.tile.out, call.tile.depth, w, 1, call.tile.depth, once);
    int8_t *x[MOST_PIXELS * MOST_RUNS];
    for (uint32_t i = 0; i < call.pixels * call.runs; i++) {
        x[i] = bytes(call.run_bytes);
    }
    call.tile.weights = w;
    call.tile.table = t;
    call.in = (const int8_t *const *)x;
    uint32_t stride = call.tile.out + below(5);
    results a = {.out_bytes = call.pixels * stride, .sums_count = call.pixels * call.tile.out}, b = a;
    a.out = memory(a.out_bytes), b.out = memory(b.out_bytes);
    a.sums = memory(4 * (size_t)a.sums_count), b.sums = memory(4 * (size_t)b.sums_count);
    memset(a.out, GUARD, a.out_bytes), memset(b.out, GUARD, b.out_bytes);
    for (uint32_t i = 0; i < a.sums_count; i++) {
        a.sums[i] = b.sums[i] = word();
    }
    conv_once(&efm_kernel_portable, &call, &a, stride);
    conv_once(kernel, &call, &b, stride);
    wrong = memcmp(a.out, b.out, a.out_bytes) != 0 || memcmp(a.sums, b.sums, 4 * (size_t)a.sums_count) != 0;
    if (wrong) {
        printf("conv %u: pixels %u runs %u x %u out %u flags %u once %d\n", (unsigned)round, (unsigned)call.pixels,
               (unsigned)call.runs, (unsigned)call.run_bytes, (unsigned)call.tile.out, (unsigned)call.flags, once);
    }
    for (uint32_t i = 0; i < call.pixels * call.runs; i++) {
        release(x[i]);
    }
    release(w), release(t), release(a.out), release(b.out), release(a.sums), release(b.sums);
    return wrong;
}

/* -- DEPTHWISE -------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 4, MOST_KERNEL = 5 };

static void depthwise_once(const efm_kernel *kernel, const efm_depthwise_call *asked, int8_t *to)
{
    efm_depthwise_call call = *asked;
    efm_rows out = *asked->out;
    out.base = (uint8_t *)to;
    call.out = &out;
    call.scratch_bytes = (kernel->depthwise_scratch(&call) + (below(2) ? below(4) * 1500 : below(9) * 200) + 7) & ~7u;
    call.scratch = memory(call.scratch_bytes);
    uint8_t *packed = own(kernel->depthwise_pack_bytes, kernel->depthwise_pack, &call.tile);
    kernel->depthwise(&call);
    free(packed);
    release(call.scratch);
}

static int depthwise_differs(const efm_kernel *kernel, uint32_t round)
{
    int usual = below(2), once = below(6) == 0;
    uint32_t channels = below(2) ? 4 * (1 + below(12)) : 1 + below(40), width = 1 + below(20);
    efm_depthwise_call call = {.rows = 1 + below(MOST_ROWS), .first = below(3)};
    uint32_t side = below(3) ? 3 : 5;
    channels += below(8) == 0 ? 100 : 0;
    call.kernel_h = usual ? side : 1 + below(MOST_KERNEL), call.kernel_w = usual ? side : 1 + below(MOST_KERNEL);
    call.stride_h = 1 + below(2), call.stride_w = 1 + below(usual ? 2 : 3);
    call.dilation_h = usual ? 1 : 1 + below(2), call.dilation_w = usual ? 1 : 1 + below(2);
    call.pad_top = below(3), call.pad_left = below(usual ? 2 : 4);
    call.multiplier = below(3) ? 1 : 1 + below(8);
    call.tile = (efm_tile){.out = channels * call.multiplier, .depth = call.kernel_h * call.kernel_w};
    uint32_t far = (width - 1) * call.stride_w + (call.kernel_w - 1) * call.dilation_w + 1;
    uint32_t low = (call.first + call.rows - 1) * call.stride_h + (call.kernel_h - 1) * call.dilation_h + 1;
    efm_rows in = {.channels = channels, .element = 1, .zero_point = byte()}, out = in;
    in.width = far > call.pad_left + 2 ? far - call.pad_left - below(3) : 1;
    in.height = in.capacity = low > call.pad_top + 2 ? low - call.pad_top - below(3) : 1;
    in.pixel_stride = channels + (below(2) ? 0 : below(7));
    in.row_stride = (in.width - 1) * in.pixel_stride + channels + below(3);
    out.width = width, out.height = call.first + call.rows, out.capacity = call.rows + below(2);
    out.channels = call.tile.out, out.pixel_stride = call.tile.out + (below(2) ? 0 : below(7));
    out.row_stride = (width - 1) * out.pixel_stride + call.tile.out + below(3);
    size_t in_bytes = (size_t)in.row_stride * (in.height - 1) + (in.width - 1) * in.pixel_stride + channels;
    size_t out_bytes = (size_t)out.row_stride * (out.capacity - 1) + (width - 1) * out.pixel_stride + call.tile.out;
    int8_t *w = weights((size_t)call.tile.depth * call.tile.out), *x = bytes(in_bytes);
    uint8_t *t = table(call.tile.out, call.tile.depth, w, call.tile.out, 1, once);
    in.base = (uint8_t *)x;
    call.in = &in, call.out = &out, call.tile.weights = w, call.tile.table = t;
    int8_t *a = memory(out_bytes), *b = memory(out_bytes);
    memset(a, GUARD, out_bytes), memset(b, GUARD, out_bytes);
    depthwise_once(&efm_kernel_portable, &call, a);
    depthwise_once(kernel, &call, b);
    int wrong = memcmp(a, b, out_bytes) != 0;
    if (wrong) {
        printf("depthwise %u: rows %u width %u of %u kernel %ux%u stride %u dilation %u pad %u multiplier %u "
               "channels %u once %d\n",
               (unsigned)round, (unsigned)call.rows, (unsigned)width, (unsigned)in.width, (unsigned)call.kernel_h,
               (unsigned)call.kernel_w, (unsigned)call.stride_w, (unsigned)call.dilation_w, (unsigned)call.pad_left,
               (unsigned)call.multiplier, (unsigned)channels, once);
    }
    release(w), release(t), release(x), release(a), release(b);
    return wrong;
}

/* What is wrong with fields that operators and the reader believe, or null. */
static const char *misdescription(const efm_kernel *kernel)
{
    const uint32_t rows = 1u << EFM_PACKING_ROWS, own = 1u << EFM_PACKING_OWN;
    if (kernel->name == NULL || strlen(kernel->name) - 1 >= MOST_NAME) {
        return "name: expected 1 to 8 characters";
    }
    if (!(kernel->conv_packings & kernel->depthwise_packings & rows)) {
        return "packings: expected 1 << EFM_PACKING_ROWS in both";
    }
    if ((kernel->conv_packings | kernel->depthwise_packings) & own) {
        return "packings: got 1 << EFM_PACKING_OWN, which no package may have";
    }
    if (kernel->alignment == 0) {
        return "alignment: got 0, expected 1 at least";
    }
    return !kernel->conv_pack_bytes != !kernel->conv_pack || !kernel->depthwise_pack_bytes != !kernel->depthwise_pack
               ? "pack: expected both functions or none"
               : NULL;
}

int main(void)
{
    const efm_kernel *kernel = efm_kernel_choose();
    const char *wrong = misdescription(kernel);
    int conv = 0, depthwise = 0;
    if (wrong != NULL) {
        printf("%s\n", wrong);
        return 1;
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        conv += conv_differs(kernel, i);
        depthwise += depthwise_differs(kernel, i);
    }
    printf("%s: %d of %d CONV and %d of %d DEPTHWISE calls differ from the portable kernel's\n", kernel->name, conv,
           ROUNDS, depthwise, ROUNDS);
    return conv + depthwise != 0;
}
