/* SPDX-License-Identifier: Apache-2.0 */
#include "caps.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "../codecs/shift.h"

/* In a cap's state. */
enum { CAP_CREDIT = 0, CAP_SHIFT = 18 };

/* The shift that row y has at least. */
static uint32_t floor_of(const efm_cap_view *cap, uint32_t y)
{
    return cap->quality == EFM_QUALITY_ROWS ? cap->table[y] : 0;
}

/* The shift to try first: after a coarser row a finer one, once half of the depth has been saved up. */
static uint32_t first_shift(const efm_cap_view *cap, uint32_t y, uint32_t credit, uint32_t before)
{
    uint32_t floor = floor_of(cap, y);
    if (before > 0 && credit >= cap->rate + cap->depth / 2) {
        before--;
    }
    return before > floor ? before : floor;
}

static void count(efm_moved *moved, uint32_t shift, uint32_t floor)
{
    moved->capped_rows += shift > floor;
    if (shift > floor && shift > moved->largest_shift) {
        moved->largest_shift = shift;
    }
}

uint32_t efm_cap_scratch(const efm_cap_view *cap, const efm_codec_args *args, int writes)
{
    uint32_t row = args->width * args->channels;
    if (!efm_cap_is_tiled(cap)) {
        return writes ? row : 0;
    }
    return row
           + (cap->quality == EFM_QUALITY_STATIC ? 0 : efm_tiles_count(args->width, efm_cap_tile(cap, args->width)));
}

/* What a cursor works with at row args->y; offsets that are signalled are still to be found. */
static efm_shift shift_of(const efm_cursor *c, const efm_cap_view *cap, efm_codec_args *args)
{
    efm_shift s = {efm_codec_find(c->map.codec), args, {args->width, NULL}, NULL, 0};
    uint32_t values = args->width * args->channels;
    s.other = (int8_t *)args->state + ((s.codec->state_bytes(args) + 7u) & ~7u);
    if (!efm_cap_is_tiled(cap)) {
        return s;
    }
    s.tiles.pixels = efm_cap_tile(cap, args->width);
    if (args->y == 0) {
        memset(s.other, args->zero_point, values);
    }
    uint32_t tiles = efm_tiles_count(args->width, s.tiles.pixels);
    s.tiles.offsets = cap->quality == EFM_QUALITY_STATIC
                          ? cap->table + EFM_BAND_BYTES + args->y / efm_load_le16(cap->table) * tiles
                          : (uint8_t *)s.other + values;
    if (cap->quality == EFM_QUALITY_DERIVED) {
        efm_tiles_measure(args, s.tiles.pixels, cap->table, s.other, (uint8_t *)s.other + values, NULL);
    }
    if (cap->quality == EFM_QUALITY_SIGNALLED) {
        s.signal_bytes = efm_tiles_signal_bytes(tiles);
    }
    return s;
}

uint32_t efm_cap_encode(const efm_cursor *c, efm_codec_args *args, uint32_t y, uint8_t *code)
{
    efm_cap_view cap;
    efm_model_cap(c->model, c->map.cap - 1, &cap);
    efm_shift s = shift_of(c, &cap, args);
    uint8_t *state = efm_cursor_cap_state(c);
    const int8_t *row = (const int8_t *)efm_row(c->rows, y);
    uint32_t credit = (y == 0 ? cap.depth : efm_load_le32(state + CAP_CREDIT)) + cap.rate;
    uint32_t before = y == 0 ? floor_of(&cap, 0) : state[CAP_SHIFT], room = c->map.row_bytes + 1;
    uint32_t shift = first_shift(&cap, y, credit, before), unit = 1;
    if (cap.place == EFM_PLACE_EXTERNAL) {
        unit = efm_model_alignment(c->model);
        room = room < c->map.slot_bytes ? room : c->map.slot_bytes;
    }
    if (room > credit - credit % unit) {
        room = credit - credit % unit;
    }
    if (s.signal_bytes > 0) {
        efm_tiles_measure(args, s.tiles.pixels, cap.table, row, (uint8_t *)s.other + c->map.row_bytes, code + 1);
    }
    uint32_t bytes = efm_shift_encode(&s, row, room, shift != before ? EFM_ROW_FRESH : 0, code, &shift);
    credit -= unit == 1 ? bytes : efm_model_transfer(c->model, bytes);
    efm_store_le32(state + CAP_CREDIT, credit < cap.depth ? credit : cap.depth);
    state[CAP_SHIFT] = (uint8_t)shift;
    count(c->moved, shift, floor_of(&cap, y));
    c->moved->raw_rows += shift == 0 && bytes == c->map.row_bytes + 1;
    return bytes;
}

efm_status efm_cap_decode(const efm_cursor *c, efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_cap_view cap;
    efm_model_cap(c->model, c->map.cap - 1, &cap);
    efm_shift s = shift_of(c, &cap, args);
    uint32_t head = efm_shift_head(&s, code[0] & EFM_ROW_SHIFT), bad = 0;
    if (head > 1 && bytes >= head) {
        bad = efm_tiles_read(args, s.tiles.pixels, cap.table, code + 1, (uint8_t *)s.other + c->map.row_bytes);
    }
    efm_status status = efm_shift_decode(&s, code, bytes, row);
    return bad ? EFM_BAD_CODEC : status;
}
