/* SPDX-License-Identifier: Apache-2.0 */
/* CONV: each output value is the dot product of what a window sees, [kernel_h][kernel_w][in_c], with the weights of
 * an output channel. The operator lists where each pixel's inputs lie and where its bytes go, over all rows of the
 * firing, as many pixels at a time as the list and scratch have room for. A window of one pixel is read in place. Of
 * a larger one the kernel takes each pixel in place, or the operator gathers them in scratch.
 *
 * Scratch: a pixel of padding or the gathered windows, then the kernel's own. */
#include <string.h>

#include "windows.h"

enum { PARAMS = EFM_WINDOW_PARAMS, LEAST_PIXELS = 2 };

typedef struct conv {
    const efm_op_args *args;
    const efm_kernel *kernel;
    efm_window window;
    efm_conv_call call;
    uint32_t taps;        /* pixels of a window that are read in place; 0: windows are gathered */
    uint32_t most;        /* pixels of a call */
    const int8_t **in;
    int8_t **out;         /* behind them sums, where the operator has any */
    int8_t *gathered;     /* or the pixel of padding */
} conv;

/* Whether every window is one pixel of the map. */
static int is_pointwise(const efm_op_args *args, const efm_window *w)
{
    return w->kernel_h == 1 && w->kernel_w == 1 && w->pad_top == 0 && w->pad_left == 0
           && (args->out[0].height - 1) * w->stride_h < args->in[0].height
           && (args->out[0].width - 1) * w->stride_w < args->in[0].width;
}

/* What becomes of sums. */
static uint32_t sums_of(const efm_op_args *args)
{
#if EFM_HAS(SLICED)
    return args->flags;
#else
    (void)args;
    return 0;
#endif
}

/* How many pixels the list and scratch have room for when a window is `runs` pointers, and `gathered` bytes of
   scratch; `padding` is what all of them share. */
static __attribute__((noinline)) uint32_t room(const efm_op_args *args, efm_scratch own, uint32_t runs,
                                               uint32_t gathered, uint32_t padding)
{
    uint32_t each = gathered + own.each, listed = EFM_LIST / (runs + (sums_of(args) ? 2 : 1)),
             left = args->scratch_bytes;
    uint32_t shared = efm_scratch_part(padding) + (gathered > 0 && own.each > 0 ? 8 : 0); /* to round one part up */
    if (left < own.fixed || left - own.fixed < shared) {
        return 0;
    }
    uint32_t most = each > 0 ? (left - own.fixed - shared) / each : listed;
    return most < listed ? most : listed;
}

/* Pixels that there must be room for. */
static uint32_t least_pixels(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0];
    return out->height == 1 && out->width == 1 ? 1 : LEAST_PIXELS;
}

/* Where the firing begins in its first row, and how many pixels it makes. */
static uint32_t first_pixel(const efm_op_args *args)
{
#if EFM_WITH_WORKERS
    return args->x;
#else
    (void)args;
    return 0;
#endif
}

static uint32_t pixels_of(const efm_op_args *args)
{
#if EFM_WITH_WORKERS
    if (args->pixels > 0) {
        return args->pixels;
    }
#endif
    return args->count * args->out[0].width;
}

static void conv_read(const efm_op_args *args, conv *c)
{
    const efm_window *w = &c->window;
    uint32_t channels = args->in[0].channels, pixels = w->kernel_h * w->kernel_w;
    c->args = args;
    c->kernel = efm_kernel_choose();
    c->call.runs = 1;
    c->call.run_bytes = channels * pixels;
    c->call.flags = sums_of(args);
    c->call.sums = 0;
    c->taps = 1;
    efm_tile_read(args, c->call.run_bytes, &c->call.tile);
    efm_scratch own = c->kernel->conv_scratch(&c->call.tile);
    if (is_pointwise(args, w)) {
        c->most = room(args, own, 1, 0, 0);
        return;
    }
    /* a window of one pixel that may lie outside the map is gathered: taps == 1 promises that it does not */
    uint32_t in_place = pixels == 1 || channels < c->kernel->run_bytes ? 0 : room(args, own, pixels, 0, channels);
    uint32_t gathered = room(args, own, 1, c->call.run_bytes, 0), least = c->kernel->gathered;
    if (in_place >= least_pixels(args) && (least == 0 || gathered < least)) {
        c->most = in_place;
        c->taps = c->call.runs = pixels;
        c->call.run_bytes = channels;
    } else {
        c->most = gathered;
        c->taps = 0;
    }
}

static efm_status conv_check(const efm_op_args *args)
{
    conv c;
    efm_status status = efm_convolution_check(args, PARAMS);
    if (status != EFM_OK) {
        return status;
    }
    efm_window_read(args, &c.window);
    if (args->in[0].channels > EFM_DEPTH_MAX / (c.window.kernel_h * c.window.kernel_w)) {
        return EFM_BAD_OPERATOR;
    }
    conv_read(args, &c);
    status = efm_tile_check(args, &c.call.tile, c.kernel->conv_packings, c.kernel->alignment);
    if (status != EFM_OK) {
        return status;
    }
    return c.most < least_pixels(args) ? EFM_BAD_OPERATOR : EFM_OK;
}

/* Calls get about the same number of pixels, whole tiles of the kernel's where it may be, and no list is longer than
   the firing. */
static void share_out(conv *c)
{
    uint32_t pixels = pixels_of(c->args);
    uint32_t tile = c->kernel->pixels > LEAST_PIXELS ? c->kernel->pixels : LEAST_PIXELS;
    if (c->most >= pixels) {
        c->most = pixels;
    } else if (c->most >= tile) {
        uint32_t tiles = (pixels + tile - 1) / tile, calls = (tiles - 1) / (c->most / tile) + 1;
        c->most = (tiles + calls - 1) / calls * tile;
    }
}

#if EFM_HAS(SLICED)
static int32_t **sums_list(const conv *c)
{
    return (int32_t **)(void *)(c->out + c->most);
}
#endif

static void lay_out(conv *c, void *list[EFM_LIST])
{
    const efm_op_args *args = c->args;
    uint8_t *at = args->scratch;
    c->in = (const int8_t **)list;
    c->out = (int8_t **)list + c->most * c->call.runs;
    c->gathered = (int8_t *)at;
    if (c->taps == 0) {
        at += efm_scratch_part(c->most * c->call.run_bytes);
    } else if (c->taps > 1) {
        memset(c->gathered, args->in[0].zero_point, args->in[0].channels);
        at += efm_scratch_part(args->in[0].channels);
    }
    c->call.in = c->in;
    c->call.out = c->out;
#if EFM_HAS(SLICED)
    c->call.sums = sums_list(c);
#endif
    c->call.scratch = at;
    c->call.scratch_bytes =
        (uint32_t)(at - args->scratch) < args->scratch_bytes ? args->scratch_bytes - (uint32_t)(at - args->scratch) : 0;
}

/* Pixels p .. p + n - 1 of the call are output pixels (y, x) and on. */
static void list_inputs(const conv *c, uint32_t y, uint32_t x, uint32_t p, uint32_t n)
{
    const efm_rows *in = &c->args->in[0];
    const efm_window *w = &c->window;
    const int8_t *from;
    uint32_t step = c->call.run_bytes;
    if (c->taps > 1) {
        efm_list_windows(in, w, y, x, n, c->gathered, c->in + p * c->taps);
        return;
    }
    if (c->taps == 1) {
        step = w->stride_w * in->pixel_stride;
        from = (const int8_t *)efm_row(in, y * w->stride_h) + x * step;
    } else {
        from = c->gathered + p * step;
        efm_gather_windows(in, w, y, x, n, c->gathered + p * step);
    }
    for (const int8_t **to = c->in + p; n > 0; n--, from += step) {
        *to++ = from;
    }
}

static void list_outputs(const conv *c, uint32_t y, uint32_t x, uint32_t p, uint32_t n)
{
    const efm_rows *out = &c->args->out[0];
    int8_t *to = (int8_t *)efm_row(out, y) + x * out->pixel_stride;
    for (; n > 0; n--, p++, to += out->pixel_stride) {
        c->out[p] = to;
    }
}

#if EFM_HAS(SLICED)
/* The same of sums, behind the outputs. */
static __attribute__((noinline)) void list_sums(const conv *c, uint32_t y, uint32_t x, uint32_t p, uint32_t n)
{
    const efm_rows *sums = c->args->sums;
    int32_t *to = (int32_t *)(void *)efm_row(sums, y) + (size_t)x * sums->channels;
    for (; n > 0; n--, p++, to += sums->channels) {
        sums_list(c)[p] = to;
    }
}
#endif

static void conv_run(const efm_op_args *args)
{
    conv c;
    void *list[EFM_LIST];
    const uint32_t width = args->out[0].width;
    uint32_t x = first_pixel(args), y = args->first, left = pixels_of(args);
    efm_window_read(args, &c.window);
    conv_read(args, &c);
    share_out(&c);
    lay_out(&c, list);
    for (; left > 0; left -= c.call.pixels) {
        c.call.pixels = left < c.most ? left : c.most;
        for (uint32_t p = 0, n; p < c.call.pixels; p += n) {
            n = width - x < c.call.pixels - p ? width - x : c.call.pixels - p;
            list_inputs(&c, y, x, p, n);
            list_outputs(&c, y, x, p, n);
#if EFM_HAS(SLICED)
            if (c.call.flags) {
                list_sums(&c, y, x, p, n);
            }
#endif
            x += n;
            if (x == width) {
                x = 0;
                y++;
            }
        }
        c.kernel->conv(&c.call);
    }
}

const efm_op_class efm_op_conv = {
    .id = EFM_OP_CONV, .flags = EFM_OP_SHARES, .check = conv_check, .need = efm_convolution_need, .run = conv_run};
