/* SPDX-License-Identifier: Apache-2.0 */
/* SLICED: a CONV of one pixel, a DEPTHWISE or MEAN behind it, and perhaps a CONV of one pixel behind that, run one slice
 * of the channels between them at a time. Of the maps between there are some rows of a slice. The last CONV adds what a
 * slice contributes to sums of all pixels of the firing, and makes bytes of them with the last slice. So a firing reads
 * every weight once, however many rows it makes.
 *
 * Scratch: sums of the last CONV or of MEAN, rows of the slice before and behind the middle, then the kernel's own. */
#include "sliced.h"

#include <stddef.h>

#include "../kernels/table.h"
#include "../ops/convolution.h"
#include "../ops/operand.h"
#include "../share.h"
#include "weight_memory.h"

#if EFM_HAS(SLICED)

enum { CHANNELS, ZERO, MIDDLE_ZERO, STRIP, STEP, PROJECTS, KIND, PARAMS };
enum { KERNEL_H = PARAMS, STRIDE_H = PARAMS + 2, DILATION_H = PARAMS + 4 }; /* of a DEPTHWISE */

/* The operators of a slice, and its maps: sums of the last operator, or of a mean, and those around the middle. */
enum { EXPAND, MIDDLE, PROJECT };
enum { SUMS, BEFORE, BEHIND, MAPS };

/* Parameters of a CONV of one pixel. */
static const uint8_t ONE_PIXEL[4 * EFM_WINDOW_PARAMS] = {[0] = 1, [4] = 1, [8] = 1, [12] = 1, [16] = 1, [20] = 1};

typedef struct sliced {
    const efm_model *model;
    const efm_op_args *whole;
    uint32_t first, tile, end; /* tiles: the first of all, of the slice, and behind the last */
    uint32_t done, channels; /* of the slices before; of the slice */
    efm_op_args part; /* the operator of the slice that is under way */
    efm_rows in, out; /* of it; for the last one `out` is its sums */
} sliced;

static uint32_t param(const sliced *s, uint32_t i)
{
    return (uint32_t)efm_param(s->whole, i);
}

static int has_mean(const sliced *s)
{
    return param(s, KIND) == EFM_OP_MEAN;
}

/* Tiles of a slice. */
static uint32_t each(const sliced *s)
{
    return (has_mean(s) ? 1 : 2) + param(s, PROJECTS);
}

/* Rows of the map before the middle that exist at a time. */
static uint64_t rows_before(const sliced *s)
{
    uint64_t rows = param(s, STEP);
    if (!has_mean(s)) {
        rows = (rows - 1) * param(s, STRIDE_H) + (uint64_t)(param(s, KERNEL_H) - 1) * param(s, DILATION_H) + 1;
    }
    return rows < s->whole->in->height ? rows : s->whole->in->height;
}

/* Rows of a map and where they lie in scratch; for MAPS where the kernel's own begins. */
static uint64_t find_rows(const sliced *s, uint32_t map, efm_rows *rows)
{
    uint64_t at = 0, bytes = 0;
    for (uint32_t i = 0; at += (bytes + 7) & ~(uint64_t)7, i <= map && i < MAPS; i++) {
        uint32_t there = i == BEFORE || param(s, PROJECTS) || (i == SUMS && has_mean(s));
        *rows = i == BEFORE ? *s->whole->in : *s->whole->out;
        rows->channels = i == SUMS && param(s, PROJECTS) ? rows->channels : s->channels;
        if (!there) { /* the middle makes a range of the output's channels */
            rows->base = rows->base == NULL ? NULL : rows->base + s->done;
            bytes = 0;
            continue;
        }
        rows->zero_point = (int32_t)param(s, i == BEFORE ? ZERO : MIDDLE_ZERO);
        rows->element = i == SUMS ? 4 : 1;
        rows->pixel_stride = rows->channels * rows->element;
        rows->row_stride = rows->width * rows->pixel_stride;
        rows->capacity = i == BEFORE ? (uint32_t)rows_before(s) : param(s, i == SUMS ? STRIP : STEP);
        rows->base = s->whole->scratch == NULL ? NULL : s->whole->scratch + at;
        bytes = (uint64_t)rows->width * rows->channels * rows->element * rows->capacity;
    }
    return at;
}

/* Makes `part` an operator of the slice; what it is. */
static const efm_op_class *take_part(sliced *s, uint32_t which)
{
    const uint32_t last = which == PROJECT, head = EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * s->whole->out->channels;
    efm_op_args *part = &s->part;
    efm_tile_view tile;
    *part = *s->whole;
    part->params = which == MIDDLE ? part->params + 4 * PARAMS : ONE_PIXEL;
    part->n_params = which == MIDDLE ? part->n_params - PARAMS : EFM_WINDOW_PARAMS;
    uint64_t own = find_rows(s, MAPS, &s->out);
    part->scratch = part->scratch == NULL ? NULL : part->scratch + own;
    part->scratch_bytes -= (uint32_t)own;
    if (which != EXPAND) {
        find_rows(s, last ? BEHIND : BEFORE, &s->in);
        part->in = &s->in;
    }
    find_rows(s, last ? SUMS : which == MIDDLE ? BEHIND : BEFORE, &s->out);
    part->out = last ? part->out : &s->out;
    if (which == MIDDLE && has_mean(s)) {
        part->scratch = s->whole->scratch;
        part->scratch_bytes = 4 * s->channels;
        part->weights_bytes = 0;
        return efm_op_find(EFM_OP_MEAN);
    }
    efm_model_tile(s->model, s->tile + (last ? each(s) - 1 : which), &tile);
    part->weights = tile.at;
    part->weights_bytes = tile.bytes;
    part->packing = tile.packing;
    if (last) { /* the table of all tiles is in front of the first one */
        part->flags =
            (s->done == 0 ? 0 : EFM_SUMS_TAKE) | (s->done + s->channels == param(s, CHANNELS) ? 0 : EFM_SUMS_LEAVE);
        part->sums = &s->out;
        part->decoded = (const int8_t *)tile.at + (s->done == 0 ? head : 0);
        part->weights_bytes += s->done == 0 ? 0 : head;
        efm_model_tile(s->model, s->first + each(s) - 1, &tile);
        part->weights = tile.at;
    }
    return efm_op_find(which == MIDDLE ? EFM_OP_DEPTHWISE : EFM_OP_CONV);
}

static void begin(const efm_model *model, uint32_t op, const efm_op_args *whole, sliced *s)
{
    efm_tiles tiles = efm_tiles_of(model, op);
    s->model = model;
    s->whole = whole;
    s->first = s->tile = tiles.first;
    s->end = tiles.first + tiles.count;
    s->done = 0;
}

/* The number of channels of the slice that begins with the next tile. */
static void take_slice(sliced *s)
{
    s->channels = efm_load_le32(efm_model_record(s->model, EFM_SECTION_TILES, s->tile) + EFM_TILE_AT_OUT);
}

static void pass_slice(sliced *s)
{
    s->done += s->channels;
    s->tile += each(s);
}

/* -- Checks ----------------------------------------------------------------------------------------------- */

static int params_fit(const efm_op_args *whole)
{
    const int32_t kind = efm_param(whole, KIND), projects = efm_param(whole, PROJECTS);
    return efm_param_within(whole, CHANNELS, 1, EFM_MAP_MAX) && efm_param_within(whole, ZERO, -128, 127)
           && efm_param_within(whole, MIDDLE_ZERO, -128, 127) && efm_param_within(whole, STRIP, 1, EFM_MAX_ROWS)
           && efm_param_within(whole, STEP, 1, EFM_MAX_ROWS) && efm_param_within(whole, PROJECTS, 0, 1)
           && (projects || (uint32_t)efm_param(whole, CHANNELS) == whole->out->channels)
           && (kind == EFM_OP_DEPTHWISE || (kind == EFM_OP_MEAN && !projects));
}

/* Whether a tile has the channels that it must have, and is read in place. */
static int tile_fits(const sliced *s, uint32_t which)
{
    efm_tile_view tile;
    const int last = which == PROJECT;
    efm_model_tile(s->model, s->tile + (last ? each(s) - 1 : which), &tile);
    return tile.code == 0 && !efm_tile_is_ported(&tile) && tile.first_out == (last ? 0 : s->done)
           && tile.out == (last ? s->whole->out->channels : s->channels) && tile.first_in == (last ? s->done : 0)
           && tile.in
                  == (last              ? s->channels
                      : which == MIDDLE ? 1
                                        : s->whole->in->channels);
}

static efm_status check_part(sliced *s, uint32_t which)
{
    if (!(which == MIDDLE && has_mean(s)) && !tile_fits(s, which)) {
        return EFM_BAD_OPERATOR;
    }
    const efm_op_class *entry = take_part(s, which);
    return entry == NULL ? EFM_BAD_FEATURE : entry->check(&s->part);
}

static efm_status check_slice(sliced *s)
{
    efm_status status = EFM_OK;
    if (s->end - s->tile < each(s)) {
        return EFM_BAD_OPERATOR;
    }
    take_slice(s);
    if (s->channels - 1 >= param(s, CHANNELS) - s->done || find_rows(s, MAPS, &s->out) > s->whole->scratch_bytes) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = EXPAND; status == EFM_OK && i <= MIDDLE + param(s, PROJECTS); i++) {
        status = check_part(s, i);
    }
    pass_slice(s);
    return status;
}

efm_status efm_check_sliced(const efm_model *model, uint32_t op, const efm_op_args *args)
{
    sliced s;
    efm_status status = EFM_OK;
    if (args->n_in != 1 || args->n_out != 1 || args->n_params <= DILATION_H || !params_fit(args)) {
        return EFM_BAD_OPERATOR;
    }
    begin(model, op, args, &s);
    while (status == EFM_OK && s.done < param(&s, CHANNELS)) {
        status = check_slice(&s);
    }
    return status == EFM_OK && s.tile != s.end ? EFM_BAD_OPERATOR : status;
}

/* -- Firing ----------------------------------------------------------------------------------------------- */

static void fire(sliced *s, const efm_workers *workers, uint32_t which, uint32_t first, uint32_t count)
{
    const efm_op_class *entry = take_part(s, which);
    (void)workers;
    s->part.first = first;
    s->part.count = count;
    efm_share(workers, entry, &s->part);
}

/* Makes rows of a slice, a few at a time. */
static void make_rows(sliced *s, const efm_workers *workers)
{
    const efm_op_args *whole = s->whole;
    const int mean = has_mean(s);
    const uint32_t step = param(s, STEP), end = mean ? whole->in->height : whole->first + whole->count;
    uint32_t made = 0, count;
    for (uint32_t y = whole->first; y < end; y += count) {
        uint32_t low = y, high, unused;
        count = end - y < step ? end - y : step;
        high = y + count - 1;
        if (!mean) {
            efm_sliced_need(whole, 0, high, &unused, &high);
            efm_sliced_need(whole, 0, y, &low, &unused);
        }
        low = low > made ? low : made;
        if (low <= high) {
            fire(s, workers, EXPAND, low, high + 1 - low);
            made = high + 1;
        }
        fire(s, workers, MIDDLE, y, count);
        if (param(s, PROJECTS)) {
            fire(s, workers, PROJECT, y, count);
        }
    }
}

efm_status efm_run_sliced(const efm_running *run, uint32_t op, const efm_op_args *args)
{
    sliced s;
    begin(run->model, op, args, &s);
    if (args->count > param(&s, STRIP)) {
        return EFM_BAD_SCHEDULE;
    }
    for (uint32_t i = s.first; i < s.end; i++) {
        run->counters->weight_read_bytes +=
            efm_load_le32(efm_model_record(run->model, EFM_SECTION_TILES, i) + EFM_TILE_AT_BYTES);
    }
    for (; s.done < param(&s, CHANNELS); pass_slice(&s)) {
        take_slice(&s);
        make_rows(&s, run->host->workers);
    }
    return EFM_OK;
}

/* A mean is of all rows. */
void efm_sliced_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    efm_op_args middle = {.params = args->params + 4 * PARAMS, .in = args->in};
    *low = 0;
    *high = args->in->height - 1;
    if (efm_param(args, KIND) != EFM_OP_MEAN) {
        efm_convolution_need(&middle, input, y, low, high);
    }
}

const efm_op_class efm_op_sliced = {.id = EFM_OP_SLICED, .flags = EFM_OP_SHARES, .need = efm_sliced_need};

#endif
