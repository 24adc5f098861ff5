/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "caps.h"
#include "page_pool.h"
#include "transfer.h"

#if EFM_WITH_MAPS

/* A cursor's scratch: u32 ticket, u32 busy (0 or 1), 8 bytes for the pool's reader, code buffers, codec
   state, and what a capped map's cursor needs besides, or a paired map's: its pair of rows. */
enum { AT_TICKET = 0, AT_BUSY = 4 };

static uint8_t *cursor_state(const efm_cursor *c)
{
    return c->arena + c->op->scratch;
}

static uint8_t *code_buffer(const efm_cursor *c, uint32_t y)
{
    uint32_t which = y % efm_model_code_buffers(c->model, &c->map);
    return cursor_state(c) + EFM_CURSOR_BYTES + which * efm_model_code_bytes(c->model, &c->map);
}

static uint8_t *reference_row(const efm_cursor *c, const efm_reference_view *reference, uint32_t y)
{
    c->counters->reference_bytes += c->map.row_bytes;
    return c->arena + reference->offset + y * c->map.row_bytes;
}

/* This row in the frame before, unless the map starts over with this frame. */
static const int8_t *find_reference(const efm_cursor *c, uint32_t y)
{
    efm_reference_view reference;
    if (!efm_model_refers(&c->map)) {
        return NULL;
    }
    efm_model_reference(c->model, c->map.reference - 1, &reference);
    uint32_t frame = reference.refresh == 0 ? c->host->frame : c->host->frame % reference.refresh;
    return frame == 0 ? NULL : (const int8_t *)reference_row(c, &reference, y);
}

/* The last reader of a row leaves it to the next frame. */
static void keep_reference(const efm_cursor *c, uint32_t y, const int8_t *row)
{
    efm_reference_view reference;
    if (!efm_model_refers(&c->map)) {
        return;
    }
    efm_model_reference(c->model, c->map.reference - 1, &reference);
    if (c->index == reference.release) {
        memmove(reference_row(c, &reference, y), row, c->map.row_bytes);
    }
}

static efm_codec_args codec_args(const efm_cursor *c, uint32_t y)
{
    efm_codec_args args;
    efm_model_codec_args(&c->map, c->rows, &args);
    args.reference = find_reference(c, y);
    args.state = cursor_state(c) + EFM_CURSOR_BYTES
                 + efm_model_code_buffers(c->model, &c->map) * efm_model_code_bytes(c->model, &c->map);
    args.y = y;
    return args;
}

static uint8_t *length_at(const efm_cursor *c, uint32_t y)
{
    return c->arena + c->map.directory + 2 * y;
}

static uint32_t row_length(const efm_cursor *c, uint32_t y)
{
    if (!efm_model_is_coded(&c->map)) {
        return c->map.row_bytes;
    }
    uint32_t bytes = efm_load_le16(length_at(c, y)),
             longest = c->map.row_bytes + (uint32_t)efm_model_is_capped(&c->map);
    if (efm_model_is_capped(&c->map) && !efm_model_is_pooled(c->model, &c->map) && longest > c->map.slot_bytes) {
        longest = c->map.slot_bytes;
    }
    return bytes > longest ? longest : bytes;
}

efm_status efm_memory_settle(const efm_port *port, uint8_t *scratch)
{
    if (efm_load_le32(scratch + AT_BUSY) == 0) {
        return EFM_OK;
    }
    efm_store_le32(scratch + AT_BUSY, 0);
    return port->wait(port->port, efm_load_le32(scratch + AT_TICKET)) == 0 ? EFM_OK : EFM_PORT_FAILED;
}

static efm_status wait_pending(const efm_cursor *c)
{
    return efm_memory_settle(&c->host->port, cursor_state(c));
}

static void count_row(const efm_cursor *c, uint32_t bytes)
{
    c->moved->bytes += bytes;
    c->moved->rows++;
}

/* Starts moving a row's bytes; every burst but the last is waited for. */
static efm_status transfer(const efm_cursor *c, int reads, uint32_t y, uint8_t *at, uint32_t bytes)
{
    uint32_t address = c->map.address + y * c->map.slot_bytes, burst = efm_model_burst(c->model), ticket = 0;
    bytes = efm_model_transfer(c->model, bytes);
    count_row(c, bytes);
    c->moved->halves += efm_model_is_paired(&c->map) && 2 * y + 1 == c->rows->height;
    if (efm_transfer(&c->host->port, reads, address, at, bytes, burst, &ticket) != 0) {
        return EFM_PORT_FAILED;
    }
    efm_store_le32(cursor_state(c) + AT_TICKET, ticket);
    efm_store_le32(cursor_state(c) + AT_BUSY, 1);
    return EFM_OK;
}

/* -- counting --------------------------------------------------------------------------------------- */

static void add_to_run(const efm_cursor *c, int reads)
{
    const efm_moved *moved = c->moved;
    efm_counters *all = c->counters;
    int pooled = efm_model_is_pooled(c->model, &c->map);
    if (!pooled) {
        *(reads ? &all->external_read_bytes : &all->external_write_bytes) += moved->bytes;
    }
    if (!efm_model_is_coded(&c->map)) { /* never in the pool */
        return;
    }
    *(pooled ? &all->pool_bytes : &all->coded_bytes) += moved->bytes;
    *(pooled ? &all->pool_values : &all->coded_values) +=
        (uint64_t)moved->rows * c->map.row_bytes - moved->halves * c->map.row_bytes / 2;
    all->coded_rows += reads ? 0 : moved->rows;
    all->raw_rows += moved->raw_rows;
    all->capped_rows += moved->capped_rows;
    if (moved->largest_shift > all->largest_shift) {
        all->largest_shift = moved->largest_shift;
    }
}

static void add_to_map(efm_map_counters *own, const efm_moved *moved, int reads)
{
    *(reads ? &own->read_bytes : &own->write_bytes) += moved->bytes;
    *(reads ? &own->rows_read : &own->rows_written) += moved->rows;
    own->raw_rows += moved->raw_rows;
    own->capped_rows += moved->capped_rows;
    if (moved->largest_shift > own->largest_shift) {
        own->largest_shift = moved->largest_shift;
    }
}

/* How every firing ends: its transfers are waited for when it failed, and what it moved is counted, the
   map's own figures and the run's from the same source. */
static efm_status end_firing(const efm_cursor *c, efm_status status)
{
    if (status != EFM_OK) {
        (void)wait_pending(c);
    }
    int reads = c->op->kind == EFM_OP_LOAD;
    add_to_run(c, reads);
    if (c->host->maps != NULL) {
        add_to_map(&c->host->maps[c->op->link], c->moved, reads);
    }
    return status;
}

/* A firing: `move` moves one row of the stream. */
static efm_status move_rows(efm_cursor *c, uint32_t first, uint32_t count,
                            efm_status (*move)(const efm_cursor *, uint32_t))
{
    efm_moved moved = {0};
    efm_status status = EFM_OK;
    c->moved = &moved;
    if (first == 0) {
        efm_store_le32(cursor_state(c) + AT_BUSY, 0);
    }
    for (uint32_t y = first; status == EFM_OK && y < first + count; y++) {
        status = move(c, y);
    }
    return end_firing(c, status);
}

/* -- pairs ----------------------------------------------------------------------------------------- */

/* Row y of the map as codecs take it: in the ring, or of a paired map in scratch. */
static int8_t *map_row(const efm_cursor *c, uint32_t y)
{
    if (!efm_model_is_paired(&c->map)) {
        return (int8_t *)efm_row(c->rows, y);
    }
    efm_codec_args args = codec_args(c, y);
    return (int8_t *)args.state + ((efm_codec_find(c->map.codec)->state_bytes(&args) + 7u) & ~7u);
}

/* Moves row y of the stream into half `half` of its pair, or out of it. */
static void move_half(const efm_cursor *c, uint32_t y, uint32_t half, int joins)
{
    uint32_t pixel = c->rows->pixel_stride;
    uint8_t *pair = (uint8_t *)map_row(c, y / 2) + half * pixel, *row = efm_row(c->rows, y);
    for (uint32_t x = 0; x < c->rows->width; x++, pair += 2 * pixel, row += pixel) {
        memmove(joins ? pair : row, joins ? row : pair, pixel);
    }
}

/* The row of the map that row y of the stream is, or is part of. */
static uint32_t map_index(const efm_cursor *c, uint32_t y)
{
    return efm_model_is_paired(&c->map) ? y / 2 : y;
}

/* Adds row y to its pair; true when that is complete. A last row without another is both. */
static int join(const efm_cursor *c, uint32_t y)
{
    move_half(c, y, y % 2, 1);
    if (y % 2 == 0 && y + 1 == c->rows->height) {
        move_half(c, y, 1, 1);
    }
    return y % 2 == 1 || y + 1 == c->rows->height;
}

/* -- LOAD ------------------------------------------------------------------------------------------ */

static efm_status begin_row(const efm_cursor *c, uint32_t y)
{
    uint8_t *at = efm_model_is_coded(&c->map) ? code_buffer(c, y) : efm_row(c->rows, y);
    uint32_t bytes = row_length(c, y);
    return bytes == 0 ? EFM_BAD_CODEC : transfer(c, 1, y, at, bytes); /* directories of forged maps overlap */
}

static efm_status decode_row(const efm_cursor *c, uint32_t y)
{
    const efm_codec_class *codec = efm_codec_find(c->map.codec);
    efm_codec_args args = codec_args(c, y);
    int8_t *row = map_row(c, y);
    uint32_t bytes = row_length(c, y);
    efm_status status = EFM_OK;
    if (efm_model_is_capped(&c->map)) {
        return efm_cap_decode(c, &args, code_buffer(c, y), bytes, row);
    }
    if (bytes < c->map.row_bytes) {
        status = codec->decode(&args, code_buffer(c, y), bytes, row);
    } else {
        memmove(row, code_buffer(c, y), bytes);
        codec->skip(&args, row);
    }
    keep_reference(c, y, row);
    return status;
}

static efm_status load_row(const efm_cursor *c, uint32_t y, int ahead)
{
    efm_status status = EFM_OK;
    if (efm_load_le32(cursor_state(c) + AT_BUSY) == 0) {
        status = begin_row(c, y);
    }
    if (status == EFM_OK) {
        status = wait_pending(c);
    }
    if (status == EFM_OK && ahead && y + 1 < c->map.rows) {
        status = begin_row(c, y + 1);
    }
    if (status == EFM_OK && efm_model_is_coded(&c->map)) {
        status = decode_row(c, y);
    }
    return status;
}

/* Row y of the stream; the first of a pair brings both. */
static efm_status load_rows(const efm_cursor *c, uint32_t y)
{
    int paired = efm_model_is_paired(&c->map), ahead = efm_model_port_buffers(c->model) > 1;
    efm_status status = paired && y % 2 == 1 ? EFM_OK : load_row(c, map_index(c, y), ahead);
    if (status == EFM_OK && paired) {
        move_half(c, y, y % 2, 0);
    }
    return status;
}

static efm_status take_row(const efm_cursor *c, uint32_t y)
{
    uint32_t bytes = row_length(c, y);
    efm_status status = bytes == 0 ? EFM_BAD_CODEC : efm_pool_read(c, y, code_buffer(c, y), bytes);
    count_row(c, bytes);
    if (status == EFM_OK) {
        status = decode_row(c, y);
    }
    efm_cap_view cap;
    efm_model_cap(c->model, c->map.cap - 1, &cap);
    if (status == EFM_OK && c->index == cap.release) {
        status = efm_pool_release(c, y, bytes);
    }
    return status;
}

efm_status efm_memory_load(efm_cursor *cursor, uint32_t first, uint32_t count)
{
    int pooled = efm_model_is_pooled(cursor->model, &cursor->map);
    return move_rows(cursor, first, count, pooled ? take_row : load_rows);
}

/* -- STORE ----------------------------------------------------------------------------------------- */

/* Codes the row into its buffer; a row that would not shrink is copied as it is. */
static void encode_row(const efm_cursor *c, uint32_t y)
{
    const efm_codec_class *codec = efm_codec_find(c->map.codec);
    efm_codec_args args = codec_args(c, y);
    const int8_t *row = map_row(c, y);
    uint8_t *code = code_buffer(c, y);
    uint32_t bytes = 0;
    if (efm_model_is_capped(&c->map)) {
        bytes = efm_cap_encode(c, &args, y, code);
    } else {
        codec->encode(&args, row, code, c->map.row_bytes - 1, &bytes);
    }
    if (bytes == 0) {
        c->moved->raw_rows++;
        bytes = c->map.row_bytes;
        memmove(code, row, bytes);
        codec->skip(&args, row);
    }
    efm_store_le16(length_at(c, y), (uint16_t)bytes);
}

static efm_status give_row(const efm_cursor *c, uint32_t y)
{
    encode_row(c, y);
    count_row(c, row_length(c, y));
    return efm_pool_append(c, code_buffer(c, y), row_length(c, y));
}

static efm_status store_row(const efm_cursor *c, uint32_t y, int overlap)
{
    efm_status status = EFM_OK;
    if (efm_model_is_coded(&c->map)) {
        encode_row(c, y);
    }
    status = wait_pending(c);
    if (status == EFM_OK) {
        status =
            transfer(c, 0, y, efm_model_is_coded(&c->map) ? code_buffer(c, y) : efm_row(c->rows, y), row_length(c, y));
    }
    if (status == EFM_OK && (!overlap || y + 1 == c->map.rows)) {
        status = wait_pending(c);
    }
    return status;
}

/* Row y of the stream; the first of a pair waits for the second. */
static efm_status store_rows(const efm_cursor *c, uint32_t y)
{
    if (efm_model_is_paired(&c->map) && !join(c, y)) {
        return EFM_OK;
    }
    return store_row(c, map_index(c, y), efm_model_port_buffers(c->model) > 1);
}

efm_status efm_memory_store(efm_cursor *cursor, uint32_t first, uint32_t count)
{
    int pooled = efm_model_is_pooled(cursor->model, &cursor->map);
    return move_rows(cursor, first, count, pooled ? give_row : store_rows);
}

#endif
