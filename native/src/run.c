/* SPDX-License-Identifier: Apache-2.0 */
/* The executor: replays the firing list. A row counter per operator is all the state there is; a stream
 * has as many rows as its producer has fired, and a ring of n slots holds the last n of them. Each
 * firing is checked against that before it runs, so that no schedule can read what is not there. */
#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "config.h"
#include "memory/memory.h"
#include "share.h"
#include "tiles/sliced.h"
#include "tiles/weight_memory.h"

typedef efm_running run;

_Static_assert(sizeof(efm_rows) <= EFM_WINDOW_BYTES, "the control region's window is too small");

EFM_INLINE uint32_t next_row(const run *r, uint32_t op)
{
    return efm_load_le16(r->arena + EFM_COUNTER_BYTES * op);
}

/* Rows low .. high of a stream are made and not yet overwritten, not even by a LOAD that reads ahead. */
static int has_rows(const run *r, uint32_t stream, const efm_rows *rows, uint32_t low, uint32_t high)
{
    uint32_t producer = efm_model_producer(r->model, stream), made = next_row(r, producer);
    const uint8_t *at = efm_model_record(r->model, EFM_SECTION_OPERATORS, producer);
    uint32_t all = efm_load_le32(at + EFM_OPERATOR_AT_ROWS), kind = at[EFM_OPERATOR_AT_KIND];
    const efm_op_class *entry = efm_op_find(kind);
    if (entry != NULL && (entry->flags & EFM_OP_ACCUMULATES)) {
        made = made == all ? rows->height : 0;
    }
    uint32_t ahead = EFM_WITH_MAPS && kind == EFM_OP_LOAD && made < all ? efm_model_port_buffers(r->model) - 1 : 0;
    return low <= high && high < made && made + ahead - low <= rows->capacity;
}

/* -- the executor's own operators ------------------------------------------------------------------ */

static uint32_t bytes_of(const efm_rows *rows)
{
    return rows->width * rows->channels * rows->element;
}

/* uint8 differs from int8 in the top bit only. */
static void flip_signs(uint8_t *row, uint32_t bytes)
{
    for (; bytes >= 4; bytes -= 4, row += 4) {
        efm_store_le32(row, efm_load_le32(row) ^ 0x80808080);
    }
    for (; bytes > 0; bytes--, row++) {
        *row ^= 0x80;
    }
}

static int is_uint8(const run *r, const efm_op_view *op)
{
    uint32_t tensor = op->link + (op->kind == EFM_OP_OUTPUT ? efm_model_inputs(r->model) : 0);
    return efm_model_record(r->model, EFM_SECTION_TENSORS, tensor)[EFM_TENSOR_AT_TYPE] == EFM_TYPE_UINT8;
}

static efm_status take_input(const run *r, const efm_op_view *op, const efm_rows *rows, uint32_t y)
{
    uint8_t *row = efm_row(rows, y);
    uint32_t bytes = bytes_of(rows);
    if (r->host->input(r->host->context, op->link, y, row, bytes) != 0) {
        return EFM_HOST_FAILED;
    }
    if (is_uint8(r, op)) {
        flip_signs(row, bytes);
    }
    r->counters->input_read_bytes += bytes;
    return EFM_OK;
}

/* Gathers a part of a concat into the operator's scratch. */
static uint8_t *packed_row(const run *r, const efm_op_view *op, const efm_rows *rows, uint32_t y)
{
    uint32_t pixel = rows->channels * rows->element;
    if (pixel == rows->pixel_stride) {
        return efm_row(rows, y);
    }
    for (uint32_t x = 0; x < rows->width; x++) {
        memmove(r->arena + op->scratch + x * pixel, efm_row(rows, y) + x * rows->pixel_stride, pixel);
    }
    return r->arena + op->scratch;
}

static efm_status give_output(const run *r, const efm_op_view *op, const efm_rows *rows, uint32_t y)
{
    uint32_t bytes = bytes_of(rows);
    uint8_t *row = packed_row(r, op, rows, y);
    int flips = is_uint8(r, op);
    if (flips) {
        flip_signs(row, bytes);
    }
    int32_t failed = r->host->output(r->host->context, op->link, y, row, bytes);
    if (flips) { /* others may still read the row in the ring */
        flip_signs(row, bytes);
    }
    r->counters->output_write_bytes += bytes;
    return failed == 0 ? EFM_OK : EFM_HOST_FAILED;
}

#if EFM_WITH_MAPS
static efm_status move_map(const run *r, const efm_op_view *op, uint32_t index, uint32_t first, uint32_t count)
{
    efm_cursor cursor = {.model = r->model,
                         .host = r->host,
                         .counters = r->counters,
                         .arena = r->arena,
                         .op = op,
                         .index = index,
                         .rows = r->window};
    efm_model_map(r->model, op->link, &cursor.map);
    if (op->kind == EFM_OP_STORE) {
        return efm_memory_store(&cursor, first, count);
    }
    if (next_row(r, cursor.map.store) != efm_model_op_rows(r->model, cursor.map.store)) {
        return EFM_BAD_SCHEDULE;
    }
    return efm_memory_load(&cursor, first, count);
}
#else
#define move_map(r, op, index, first, count) ((void)(index), EFM_BAD_FEATURE) /* opening refuses it */
#endif

static efm_status move_rows(const run *r, const efm_op_view *op, uint32_t index, uint32_t first, uint32_t count)
{
    efm_status status = EFM_OK;
    if (EFM_WITH_MAPS && (op->kind == EFM_OP_LOAD || op->kind == EFM_OP_STORE)) {
        return move_map(r, op, index, first, count);
    }
    for (uint32_t y = first; status == EFM_OK && y < first + count; y++) {
        status = op->kind == EFM_OP_INPUT ? take_input(r, op, r->window, y) : give_output(r, op, r->window, y);
    }
    return status;
}

/* -- firing ------------------------------------------------------------------------------------------ */

/* A STORE may still be writing the row before the first. */
static efm_status check_mover_rows(const run *r, const efm_op_view *op, uint32_t first, uint32_t count)
{
    if (op->args.n_out == 1) {
        return count <= r->window[0].capacity ? EFM_OK : EFM_BAD_SCHEDULE;
    }
    uint32_t held = EFM_WITH_MAPS && op->kind == EFM_OP_STORE && first > 0 ? efm_model_port_buffers(r->model) - 1 : 0;
    int there = has_rows(r, efm_load_le16(op->operands), &r->window[0], first - held, first + count - 1);
    return there ? EFM_OK : EFM_BAD_SCHEDULE;
}

/* The operator's tile in the kernel's own packing, or null. */
static const uint8_t *own_tile(const efm_model *model, uint32_t index)
{
    uint32_t at = EFM_WITH_PREPARE && model->prepared != NULL ? efm_load_le32(model->prepared + 4 * index) : 0;
    return at > 0 ? model->prepared + at : NULL;
}

static efm_status compute(const run *r, efm_op_view *op, uint32_t index, uint32_t first, uint32_t count)
{
    const efm_op_class *entry = efm_op_find(op->kind);
    efm_op_args *args = &op->args;
    args->own = own_tile(r->model, index);
    args->in = r->window;
    args->out = r->window + args->n_in;
    args->scratch = r->arena + op->scratch;
    args->first = first;
    args->count = count;
    for (uint32_t i = 0; i < args->n_in; i++) {
        uint32_t low, high, unused;
        entry->need(args, i, first, &low, &unused);
        entry->need(args, i, first + count - 1, &unused, &high);
        if (!has_rows(r, efm_load_le16(op->operands + 2 * i), &r->window[i], low, high)) {
            return EFM_BAD_SCHEDULE;
        }
    }
    if (!(entry->flags & EFM_OP_ACCUMULATES)) {
        for (uint32_t i = 0; i < args->n_out; i++) {
            if (count > args->out[i].capacity) {
                return EFM_BAD_SCHEDULE;
            }
        }
    }
#if EFM_HAS(SLICED)
    if (op->kind == EFM_OP_SLICED) {
        return efm_run_sliced(r, index, args);
    }
#endif
#if EFM_WITH_WEIGHT_CODES
    return efm_run_tiles(r, index, entry, args);
#else
    efm_share(r->host->workers, entry, args);
    r->counters->weight_read_bytes += args->weights_bytes;
    return EFM_OK;
#endif
}

#if EFM_WITH_TAP
static void tap_rows(const run *r, const efm_op_view *op, uint32_t first, uint32_t count)
{
    const efm_op_class *entry = efm_op_find(op->kind);
    int accumulates = entry != NULL && (entry->flags & EFM_OP_ACCUMULATES);
    if (r->host->tap == NULL || (accumulates && first + count != op->rows)) {
        return;
    }
    for (uint32_t i = 0; i < op->args.n_out; i++) {
        const efm_rows *rows = &r->window[op->args.n_in + i];
        uint32_t from = accumulates ? 0 : first, to = accumulates ? rows->height : first + count;
        for (uint32_t y = from; y < to; y++) {
            r->host->tap(r->host->context, efm_load_le16(op->operands + 2 * (op->args.n_in + i)), y, efm_row(rows, y),
                         rows->pixel_stride);
        }
    }
}
#else
#define tap_rows(r, op, first, count) ((void)0)
#endif

/* Not inlined: what a run keeps has a frame of its own. */
static __attribute__((noinline)) efm_status fire(const run *r, uint32_t index, uint32_t count)
{
    efm_op_view op;
    efm_model_op(r->model, index, &op);
    uint32_t first = next_row(r, index);
    if (first > op.rows || count > op.rows - first) {
        return EFM_BAD_SCHEDULE;
    }
    for (uint32_t i = 0; i < op.args.n_in + op.args.n_out; i++) {
        efm_model_rows(r->model, efm_load_le16(op.operands + 2 * i), r->arena, &r->window[i]);
    }
    efm_status status;
    if (op.kind <= EFM_OP_STORE) {
        status = check_mover_rows(r, &op, first, count);
        if (status == EFM_OK) {
            status = move_rows(r, &op, index, first, count);
        }
    } else {
        status = compute(r, &op, index, first, count);
    }
    if (status != EFM_OK) {
        return status;
    }
    efm_store_le16(r->arena + EFM_COUNTER_BYTES * index, (uint16_t)(first + count));
    tap_rows(r, &op, first, count);
    return EFM_OK;
}

static efm_status run_stage(const run *r, uint32_t stage)
{
    const uint8_t *at = r->model->section[EFM_SECTION_STAGES].at + stage * EFM_STAGE_BYTES;
    const uint8_t *firing =
        r->model->section[EFM_SECTION_FIRINGS].at + efm_load_le32(at + EFM_STAGE_AT_FIRST) * EFM_FIRING_BYTES;
    efm_status status = EFM_OK;
    for (uint32_t left = efm_load_le32(at + EFM_STAGE_AT_FIRINGS); status == EFM_OK && left > 0;
         left--, firing += EFM_FIRING_BYTES) {
        if (r->host->poll != NULL && r->host->poll(r->host->context) != 0) {
            return EFM_HOST_FAILED;
        }
        status = fire(r, efm_load_le16(firing + EFM_FIRING_AT_OPERATOR), efm_load_le16(firing + EFM_FIRING_AT_ROWS));
    }
    return status;
}

/* Every operator must have fired all its rows; then no transfer is under way either. Those of a run that
   was given up are waited for, so that the caller can have the arena back. */
static efm_status finish(const run *r, efm_status status)
{
    for (uint32_t i = 0; i < r->model->section[EFM_SECTION_OPERATORS].count; i++) {
        const uint8_t *at = efm_model_record(r->model, EFM_SECTION_OPERATORS, i);
        uint32_t fired = next_row(r, i), kind = at[EFM_OPERATOR_AT_KIND];
        if (fired == efm_load_le32(at + EFM_OPERATOR_AT_ROWS)) {
            continue;
        }
        if (EFM_WITH_MAPS && (kind == EFM_OP_LOAD || kind == EFM_OP_STORE) && fired > 0) {
            (void)efm_memory_settle(&r->host->port, r->arena + efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH));
        }
        if (status == EFM_OK) {
            status = EFM_BAD_SCHEDULE;
        }
    }
    return status;
}

static efm_status check_host(const efm_model *model, const efm_host *host, const uint8_t *arena, uint32_t arena_bytes)
{
    if (host->input == NULL || host->output == NULL || arena_bytes < efm_model_arena_bytes(model)
        || (uintptr_t)arena % EFM_ARENA_ALIGNMENT != 0) {
        return EFM_BAD_ARGUMENT;
    }
    if (efm_model_external_bytes(model) != 0
        && (host->port.begin_read == NULL || host->port.begin_write == NULL || host->port.wait == NULL)) {
        return EFM_BAD_ARGUMENT;
    }
    if (EFM_HAS(AGAIN) && host->repeats == 0 && efm_model_repeats(model)) {
        return EFM_BAD_ARGUMENT;
    }
    return efm_host_has_weights(model, host) ? efm_share_check(model, host->workers) : EFM_BAD_ARGUMENT;
}

efm_status efm_run(const efm_model *model, const efm_host *host, uint8_t *arena, uint32_t arena_bytes,
                   efm_counters *counters)
{
    efm_status status = counters == NULL ? EFM_BAD_ARGUMENT : check_host(model, host, arena, arena_bytes);
    if (status != EFM_OK) {
        return status;
    }
    run r = {model, host, counters, arena, NULL};
    r.window = (efm_rows *)(void *)(arena + efm_model_window_offset(model));
    memset(r.counters, 0, sizeof *r.counters);
    memset(arena, 0, efm_model_control_bytes(model));
    if (EFM_WITH_MAPS && host->maps != NULL) {
        memset(host->maps, 0, efm_model_maps(model) * sizeof *host->maps);
    }
    for (uint32_t stage = 0; status == EFM_OK && stage < efm_model_stages(model); stage++) {
        if (host->event != NULL) {
            host->event(host->context, stage);
        }
        status = run_stage(&r, stage);
    }
    status = finish(&r, status);
    if (status == EFM_OK && host->event != NULL) {
        host->event(host->context, efm_model_stages(model));
    }
    return status;
}
