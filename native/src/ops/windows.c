/* SPDX-License-Identifier: Apache-2.0 */
/* Row by row, or pixel by pixel, of all windows: those of pixels side by side begin a stride apart, and away from the
 * map's edges each has the bytes of a row side by side as well. */
#include "windows.h"

#include <string.h>

#include "../kernels/elements.h"

typedef struct gathering {
    const efm_rows *in;
    const efm_window *window;
    uint32_t bytes; /* of a window's row */
    uint32_t step;  /* from window to window */
} gathering;

static void copy_runs(int8_t *to, size_t to_step, const int8_t *from, size_t from_step, uint32_t count, size_t bytes)
{
    uint32_t done = efm_copy_fast(to, to_step, from, from_step, count, bytes);
    for (; done < count; done++) {
        memmove(to + done * to_step, from + done * from_step, bytes);
    }
}

/* Whether pixels that a window sees in a row lie side by side. */
static int is_in_one_piece(const gathering *g)
{
    return g->window->dilation_w == 1 && g->in->pixel_stride == g->in->channels;
}

/* How many of the next `count` windows have all their row, which begins at pixel `left`, in one piece of the map. */
static uint32_t whole(const gathering *g, int32_t left, uint32_t count)
{
    const uint32_t width = g->in->width, kernel_w = g->window->kernel_w;
    if (left < 0 || (uint32_t)left + kernel_w > width || !is_in_one_piece(g)) {
        return 0;
    }
    uint32_t more = (width - kernel_w - (uint32_t)left) / g->window->stride_w;
    return more < count ? more + 1 : count;
}

/* Of `count` places `step` apart, the first of them `at`, those that lie in 0 .. width - 1: first .. end - 1. */
static uint32_t clip(int32_t at, uint32_t step, uint32_t count, uint32_t width, uint32_t *end)
{
    uint32_t first = at < 0 ? ((uint32_t)-at + step - 1) / step : 0, behind = 0;
    if (at < (int32_t)width) {
        behind = (uint32_t)((int32_t)width - 1 - at) / step + 1;
    }
    *end = behind < count ? behind : count;
    return first < *end ? first : *end;
}

static void gather_row(const gathering *g, const int8_t *row, int32_t left, int8_t *to)
{
    const uint32_t channels = g->in->channels, kernel_w = g->window->kernel_w, dilation = g->window->dilation_w;
    uint32_t end = 0, first = row != 0 ? clip(left, dilation, kernel_w, g->in->width, &end) : 0;
    memset(to, g->in->zero_point, first * channels);
    memset(to + end * channels, g->in->zero_point, (kernel_w - end) * channels);
    if (first == end) {
        return;
    }
    const size_t pixel = g->in->pixel_stride, step = dilation * pixel;
    const int8_t *from = row + (size_t)((uint32_t)left + first * dilation) * pixel;
    uint32_t runs = end - first, bytes = channels;
    if (is_in_one_piece(g)) {
        bytes *= runs;
        runs = 1;
    }
    copy_runs(to + first * channels, channels, from, step, runs, bytes);
}

static void gather_rows(const gathering *g, const int8_t *row, int32_t left, uint32_t count, int8_t *to)
{
    const uint32_t stride = g->window->stride_w;
    while (count > 0) {
        uint32_t n = row != 0 ? whole(g, left, count) : 0;
        if (n > 0) {
            const size_t pixel = g->in->pixel_stride;
            copy_runs(to, g->step, row + (size_t)left * pixel, stride * pixel, n, g->bytes);
        } else {
            gather_row(g, row, left, to);
            n = 1;
        }
        count -= n;
        left += (int32_t)(n * stride);
        to += n * (size_t)g->step;
    }
}

/* Where the windows of output pixel (y, x) and those beside it begin; above and left of the map it is huge. */
static uint32_t top_of(const efm_window *w, uint32_t y)
{
    return y * w->stride_h - w->pad_top;
}

static int32_t left_of(const efm_window *w, uint32_t x)
{
    return (int32_t)(x * w->stride_w) - (int32_t)w->pad_left;
}

/* A row of the map, or null. */
static const int8_t *row_of(const efm_rows *in, uint32_t y)
{
    return y < in->height ? (const int8_t *)efm_row(in, y) : 0;
}

void efm_gather_windows(const efm_rows *in, const efm_window *w, uint32_t y, uint32_t x, uint32_t count, int8_t *to)
{
    const uint32_t bytes = w->kernel_w * in->channels;
    const gathering g = {in, w, bytes, w->kernel_h * bytes};
    uint32_t at = top_of(w, y);
    for (uint32_t i = 0; i < w->kernel_h; i++, at += w->dilation_h, to += bytes) {
        gather_rows(&g, row_of(in, at), left_of(w, x), count, to);
    }
}

/* Pointers `taps` apart, to what lies `step` bytes apart; where the next one goes. */
static const int8_t **list(const int8_t **to, uint32_t taps, const int8_t *from, size_t step, uint32_t count)
{
    for (; count > 0; count--, to += taps, from += step) {
        *to = from;
    }
    return to;
}

void efm_list_windows(const efm_rows *in, const efm_window *w, uint32_t y, uint32_t x, uint32_t count,
                      const int8_t *padding, const int8_t **to)
{
    const uint32_t taps = w->kernel_h * w->kernel_w;
    const size_t pixel = in->pixel_stride;
    for (uint32_t tap = 0; tap < taps; tap++, to++) {
        const int8_t *row = row_of(in, top_of(w, y) + tap / w->kernel_w * w->dilation_h), **at = to;
        const int32_t left = left_of(w, x) + (int32_t)(tap % w->kernel_w * w->dilation_w);
        uint32_t end = 0, first = row != 0 ? clip(left, w->stride_w, count, in->width, &end) : 0;
        at = list(at, taps, padding, 0, first);
        if (first < end) {
            const int8_t *from = row + (size_t)((uint32_t)left + first * w->stride_w) * pixel;
            at = list(at, taps, from, w->stride_w * pixel, end - first);
        }
        list(at, taps, padding, 0, count - end);
    }
}
