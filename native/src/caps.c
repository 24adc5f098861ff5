/* SPDX-License-Identifier: Apache-2.0 */
#include "caps.h"

#include <stddef.h>

#include "bytes.h"
#include "codecs/shift.h"

/* In a cap's state. */
enum { CAP_CREDIT = 0, CAP_SHIFT = 18 };

uint32_t efm_cap_floor(const efm_cap_view *cap, uint32_t y)
{
    return cap->quality == EFM_QUALITY_ROWS ? cap->floors[y] : 0;
}

/* The shift to try first: after a coarser row a finer one, once half of the depth has been saved up. */
static uint32_t first_shift(const efm_cap_view *cap, uint32_t y, uint32_t credit, uint32_t before)
{
    uint32_t floor = efm_cap_floor(cap, y);
    if (before > 0 && credit >= cap->rate + cap->depth / 2)
        before--;
    return before > floor ? before : floor;
}

static void count(efm_moved *moved, uint32_t shift, uint32_t floor)
{
    moved->capped_rows += shift > floor;
    if (shift > floor && shift > moved->largest_shift)
        moved->largest_shift = shift;
}

uint32_t efm_cap_encode(const efm_cursor *c, efm_codec_args *args, uint32_t y, uint8_t *code)
{
    const efm_codec_class *codec = efm_codec_find(c->map.codec);
    efm_cap_view cap;
    efm_model_cap(c->model, c->map.cap - 1, &cap);
    uint8_t *state = efm_cursor_cap_state(c);
    const int8_t *row = (const int8_t *)efm_row(c->rows, y);
    int8_t *spare = (int8_t *)args->state + ((codec->state_bytes(args) + 7u) & ~7u);
    uint32_t credit = (y == 0 ? cap.depth : load_le32(state + CAP_CREDIT)) + cap.rate;
    uint32_t before = y == 0 ? efm_cap_floor(&cap, 0) : state[CAP_SHIFT], room = c->map.row_bytes + 1;
    uint32_t shift = first_shift(&cap, y, credit, before), unit = 1;
    if (cap.place == EFM_PLACE_EXTERNAL) {
        unit = efm_model_alignment(c->model);
        room = room < c->map.slot_bytes ? room : c->map.slot_bytes;
    }
    if (room > credit - credit % unit)
        room = credit - credit % unit;
    uint32_t bytes = efm_shift_encode(codec, args, row, spare, room, shift != before ? EFM_ROW_FRESH : 0, code, &shift);
    credit -= unit == 1 ? bytes : efm_model_transfer(c->model, bytes);
    store_le32(state + CAP_CREDIT, credit < cap.depth ? credit : cap.depth);
    state[CAP_SHIFT] = (uint8_t)shift;
    count(c->moved, shift, efm_cap_floor(&cap, y));
    c->moved->raw_rows += shift == 0 && bytes == c->map.row_bytes + 1;
    return bytes;
}
