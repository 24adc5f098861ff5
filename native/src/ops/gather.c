/* SPDX-License-Identifier: Apache-2.0 */
/* GATHER: every value of the result has a place in the input, the sum of what its row, its pixel and its place in the
 * pixel say: a row and an element each. Runs of values move together; some are filled instead. */
#include "operand.h"

enum { PLACES, RUN, FILL, PARAMS };
enum { ENTRY_BYTES = 6, NEED_BYTES = 4 };
enum { ELEMENTS_MAX = 1 << 28 };

static const uint32_t FILLED = 0xffffffffu;

typedef struct entry {
    uint32_t element;
    uint32_t row;
} entry;

/* Entry i of the tables, which are stored one after another: rows, pixels, places. */
static entry entry_at(const efm_op_args *args, uint32_t i)
{
    const uint8_t *at = args->weights + (size_t)i * ENTRY_BYTES;
    entry found = {efm_load_le32(at), efm_load_le16(at + 4)};
    return found;
}

static uint32_t entries_of(const efm_op_args *args)
{
    return args->out[0].height + args->out[0].width + (uint32_t)efm_param(args, PLACES);
}

static void gather_pixel(const efm_op_args *args, uint8_t *to, entry at)
{
    const efm_rows *in = &args->in[0];
    const uint32_t places = (uint32_t)efm_param(args, PLACES), first = args->out[0].height + args->out[0].width;
    const uint32_t bytes = (uint32_t)efm_param(args, RUN) * in->element;
    for (uint32_t i = 0; i < places; i++) {
        entry place = entry_at(args, first + i);
        if (at.element == FILLED || place.element == FILLED) {
            memset(to, efm_param(args, FILL), bytes);
        } else {
            memcpy(to, efm_row(in, at.row + place.row) + (size_t)(at.element + place.element) * in->element, bytes);
        }
        to += bytes;
    }
}

static void gather_row(const efm_op_args *args, uint32_t y)
{
    const efm_rows *out = &args->out[0];
    const entry row = entry_at(args, y);
    for (uint32_t x = 0; x < out->width; x++) {
        entry at = entry_at(args, out->height + x);
        if (row.element == FILLED) {
            at.element = FILLED;
        } else if (at.element != FILLED) {
            at.element += row.element;
            at.row += row.row;
        }
        gather_pixel(args, efm_row(out, y) + (size_t)x * out->pixel_stride, at);
    }
}

static void gather_rows(const efm_op_args *args)
{
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        gather_row(args, y);
    }
}

static void need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    const uint8_t *at = args->weights + (size_t)entries_of(args) * ENTRY_BYTES + (size_t)y * NEED_BYTES;
    (void)input;
    *low = efm_load_le16(at);
    *high = efm_load_le16(at + 2);
}

/* The largest element and row of `count` entries from `first` on; adds to *filled how many are filled. */
static entry largest(const efm_op_args *args, uint32_t first, uint32_t count, uint32_t *filled)
{
    entry most = {0, 0};
    for (uint32_t i = first; i - first < count; i++) {
        entry one = entry_at(args, i);
        if (one.element == FILLED) {
            (*filled)++;
            continue;
        }
        most.element = one.element > most.element ? one.element : most.element;
        most.row = one.row > most.row ? one.row : most.row;
    }
    return most;
}

/* Row y finds its values inside its need, which is inside the map and not before that of the row above. */
static int row_fits(const efm_op_args *args, uint32_t y, entry reach)
{
    const entry row = entry_at(args, y);
    uint32_t low, high, low_above = 0, high_above = 0;
    need(args, 0, y, &low, &high);
    if (y > 0) {
        need(args, 0, y - 1, &low_above, &high_above);
    }
    return low <= high && high < args->in[0].height && low >= low_above && high >= high_above
           && (row.element == FILLED
               || (row.element < ELEMENTS_MAX && row.row >= low && row.row + reach.row <= high
                   && row.element + reach.element <= args->in[0].width * args->in[0].channels));
}

static int tables_fit(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0];
    uint32_t filled = 0;
    entry pixel = largest(args, out->height, out->width, &filled);
    entry place = largest(args, out->height + out->width, (uint32_t)efm_param(args, PLACES), &filled);
    entry reach = {pixel.element + place.element + (uint32_t)efm_param(args, RUN), pixel.row + place.row};
    largest(args, 0, out->height, &filled);
    if (pixel.element > ELEMENTS_MAX || place.element > ELEMENTS_MAX || (filled > 0 && out->element != 1)) {
        return 0;
    }
    for (uint32_t y = 0; y < out->height; y++) {
        if (!row_fits(args, y, reach)) {
            return 0;
        }
    }
    return 1;
}

static efm_status check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, PARAMS)) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (in->element != out->element || !efm_is_packed(in) || in->width > ELEMENTS_MAX / in->channels
        || !efm_param_within(args, PLACES, 1, 0xffff) || !efm_param_within(args, RUN, 1, ELEMENTS_MAX)
        || !efm_param_within(args, FILL, -128, 127) || out->channels % (uint32_t)efm_param(args, RUN) != 0
        || out->channels / (uint32_t)efm_param(args, RUN) != (uint32_t)efm_param(args, PLACES)) {
        return EFM_BAD_OPERATOR;
    }
    uint64_t bytes = (uint64_t)ENTRY_BYTES * entries_of(args) + (uint64_t)NEED_BYTES * out->height;
    return args->weights_bytes == bytes && tables_fit(args) ? EFM_OK : EFM_BAD_OPERATOR;
}

const efm_op_class efm_op_gather = {.id = EFM_OP_GATHER, .check = check, .need = need, .run = gather_rows};
