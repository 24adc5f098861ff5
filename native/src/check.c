/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a package once, so that everything later can trust the views of model.h. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "check.h"
#include "check_maps.h"

_Static_assert(EFM_MAX_OPERANDS * sizeof(efm_rows) <= EFM_OPEN_BYTES, "efm_model_open() borrows too little");

static efm_status check_header(const uint8_t *package, uint32_t bytes)
{
    if (bytes < EFM_HEADER_BYTES) {
        return EFM_BAD_SIZE;
    }
    if (efm_load_le32(package + EFM_AT_MAGIC) != EFM_MAGIC) {
        return EFM_BAD_MAGIC;
    }
    if (efm_load_le16(package + EFM_AT_MAJOR) != EFM_FORMAT_MAJOR) {
        return EFM_BAD_VERSION;
    }
    if (efm_load_le32(package + EFM_AT_BYTES) != bytes) {
        return EFM_BAD_SIZE;
    }
    if (efm_load_le32(package + EFM_AT_CRC) != efm_crc32(0, package + EFM_AT_CHECKED, bytes - EFM_AT_CHECKED)) {
        return EFM_BAD_CHECKSUM;
    }
    if (efm_load_le32(package + EFM_AT_FEATURES) & ~efm_features()) {
        return EFM_BAD_FEATURE;
    }
    for (uint32_t at = EFM_AT_RESERVED; at < EFM_HEADER_BYTES; at += 4) {
        if (efm_load_le32(package + at) != 0) {
            return EFM_BAD_FEATURE;
        }
    }
    uint32_t alignment = efm_load_le16(package + EFM_AT_ALIGNMENT),
             buffers = efm_load_le16(package + EFM_AT_PORT_BUFFERS);
    if (alignment == 0 || alignment > EFM_MAX_ALIGNMENT || buffers < 1 || buffers > 2
        || efm_load_le32(package + EFM_AT_BURST) % alignment != 0) {
        return EFM_BAD_FEATURE;
    }
    return EFM_OK;
}

static efm_status read_section(efm_model *model, const uint8_t *entry)
{
    uint32_t id = efm_load_le16(entry + EFM_SECTION_AT_ID), offset = efm_load_le32(entry + EFM_SECTION_AT_OFFSET),
             bytes = efm_load_le32(entry + EFM_SECTION_AT_SIZE);
    uint32_t count = efm_load_le32(entry + EFM_SECTION_AT_COUNT);
    if (!fits(offset, bytes, model->bytes)) {
        return EFM_BAD_SIZE;
    }
    if (id == 0 || id >= EFM_SECTIONS || efm_model_record_bytes(id) == 0) {
        return efm_load_le16(entry + EFM_SECTION_AT_FLAGS) & EFM_SECTION_REQUIRED ? EFM_BAD_FEATURE : EFM_OK;
    }
    if (model->section[id].at != NULL || count != bytes / efm_model_record_bytes(id)
        || bytes % efm_model_record_bytes(id) != 0) {
        return EFM_BAD_SECTION;
    }
    model->section[id].at = model->package + offset;
    model->section[id].bytes = bytes;
    model->section[id].count = count;
    return EFM_OK;
}

static efm_status check_sections(efm_model *model)
{
    uint32_t count = efm_model_field(model, EFM_AT_SECTIONS);
    if (count > EFM_MAX_SECTIONS || !fits(EFM_HEADER_BYTES, count * EFM_SECTION_BYTES, model->bytes)) {
        return EFM_BAD_SIZE;
    }
    for (uint32_t i = 0; i < count; i++) {
        efm_status status = read_section(model, model->package + EFM_HEADER_BYTES + i * EFM_SECTION_BYTES);
        if (status != EFM_OK) {
            return status;
        }
    }
    for (uint32_t id = EFM_SECTION_STREAMS; id <= EFM_SECTION_NAMES; id++) {
        if (model->section[id].at == NULL) {
            return EFM_BAD_SECTION;
        }
    }
    if (efm_model_count(model, EFM_SECTION_OPERATORS) > 0xffff || efm_model_count(model, EFM_SECTION_STREAMS) > 0xffff
        || efm_model_count(model, EFM_SECTION_BUFFERS) > 0xffff || efm_model_count(model, EFM_SECTION_CAPS) > 0xffff
        || efm_model_count(model, EFM_SECTION_REFERENCES) > 0xffff) {
        return EFM_BAD_SECTION;
    }
    return EFM_OK;
}

static efm_status check_buffers(const efm_model *model)
{
    uint32_t arena = efm_model_arena_bytes(model), control = efm_model_control_bytes(model);
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_BUFFERS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_BUFFERS, i);
        uint32_t offset = efm_load_le32(at + EFM_BUFFER_AT_OFFSET),
                 stride = efm_load_le32(at + EFM_BUFFER_AT_SLOT_BYTES), slots = efm_load_le32(at + EFM_BUFFER_AT_SLOTS);
        if (offset % 8 != 0 || offset < control || slots == 0 || slots > EFM_MAX_ROWS || stride == 0 || offset > arena
            || stride > (arena - offset) / slots) {
            return EFM_BAD_BUFFER;
        }
    }
    return EFM_OK;
}

static int product_fits(uint32_t a, uint32_t b, uint32_t limit)
{
    return a == 0 || b <= limit / a;
}

static efm_status check_stream(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_STREAMS, index);
    if (efm_load_le16(at + EFM_STREAM_AT_BUFFER) >= efm_model_count(model, EFM_SECTION_BUFFERS)
        || efm_load_le16(at + EFM_STREAM_AT_PRODUCER) >= efm_model_count(model, EFM_SECTION_OPERATORS)
        || at[EFM_STREAM_AT_ELEMENT + 1] != 0 || efm_load_le16(at + EFM_STREAM_AT_RESERVED) != 0) {
        return EFM_BAD_STREAM;
    }
    efm_rows rows;
    efm_model_rows(model, index, NULL, &rows);
    uint32_t offset = efm_load_le32(at + EFM_STREAM_AT_OFFSET);
    if (rows.element != 1 && rows.element != 4 && rows.element != 8) {
        return EFM_BAD_STREAM;
    }
    if (rows.height == 0 || rows.height > EFM_MAX_ROWS || rows.width == 0 || rows.width > EFM_MAX_DIMENSION
        || rows.channels == 0 || rows.channels > EFM_MAX_DIMENSION / 8 || rows.zero_point < -128
        || rows.zero_point > 127) {
        return EFM_BAD_STREAM;
    }
    uint32_t pixel = rows.channels * rows.element;
    if (pixel > rows.pixel_stride || rows.pixel_stride > rows.row_stride || offset > rows.row_stride
        || pixel > rows.row_stride - offset) {
        return EFM_BAD_STREAM;
    }
    if (offset % rows.element != 0 || rows.pixel_stride % rows.element != 0 || rows.row_stride % rows.element != 0) {
        return EFM_BAD_STREAM;
    }
    if (!product_fits(rows.pixel_stride, rows.width - 1, rows.row_stride - offset - pixel)
        || !product_fits(rows.height, row_bytes(&rows), EFM_MAX_BYTES)) {
        return EFM_BAD_STREAM;
    }
    return EFM_OK;
}

static efm_status check_streams(const efm_model *model)
{
    efm_status status = EFM_OK;
    for (uint32_t i = 0; status == EFM_OK && i < efm_model_count(model, EFM_SECTION_STREAMS); i++) {
        status = check_stream(model, i);
    }
    return status;
}

/* The dimensions multiply to the elements of the map. */
static int shape_fits(const efm_tensor *tensor, const efm_rows *rows)
{
    uint32_t left = rows->height * rows->width * rows->channels;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0 || left % tensor->shape[i] != 0) {
            return 0;
        }
        left /= tensor->shape[i];
    }
    return left == 1;
}

static efm_status check_tensor(const efm_model *model, uint32_t index, const efm_rows *rows)
{
    static const uint8_t ELEMENT[] = {1, 1, 4, 8, 4};
    const uint8_t *at = efm_model_record(model, EFM_SECTION_TENSORS, index);
    if (!fits(efm_load_le32(at + EFM_TENSOR_AT_NAME), efm_load_le32(at + EFM_TENSOR_AT_NAME_BYTES),
              model->section[EFM_SECTION_NAMES].bytes)) {
        return EFM_BAD_OPERATOR;
    }
    efm_tensor tensor;
    if (efm_model_tensor(model, index, &tensor) != EFM_OK || tensor.type >= sizeof ELEMENT || tensor.rank > 4) {
        return EFM_BAD_OPERATOR;
    }
    if (ELEMENT[tensor.type] != rows->element || tensor.rows != rows->height || tensor.row_bytes != row_bytes(rows)
        || !shape_fits(&tensor, rows)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status check_op_ranges(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, index);
    uint32_t operands = (uint32_t)at[EFM_OPERATOR_AT_N_IN] + at[EFM_OPERATOR_AT_N_OUT];
    if (at[EFM_OPERATOR_AT_RESERVED] != 0 || operands > efm_model_window_operands(model)
        || !fits(efm_load_le32(at + EFM_OPERATOR_AT_OPERANDS), operands, efm_model_count(model, EFM_SECTION_OPERANDS))
        || !fits(efm_load_le32(at + EFM_OPERATOR_AT_PARAMS), efm_load_le32(at + EFM_OPERATOR_AT_N_PARAMS),
                 efm_model_count(model, EFM_SECTION_PARAMS))
        || !fits(efm_load_le32(at + EFM_OPERATOR_AT_WEIGHTS), efm_load_le32(at + EFM_OPERATOR_AT_WEIGHTS_BYTES),
                 model->section[EFM_SECTION_WEIGHTS].bytes)) {
        return EFM_BAD_OPERATOR;
    }
    uint32_t scratch = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH),
             scratch_bytes = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH_BYTES);
    if (scratch_bytes != 0
        && (scratch % 8 != 0 || scratch < efm_model_control_bytes(model)
            || !fits(scratch, scratch_bytes, efm_model_arena_bytes(model)))) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* INPUT and OUTPUT: operator and tensor agree; rows with gaps are gathered in scratch. */
static efm_status check_end(const efm_model *model, const efm_op_view *op, const efm_rows *rows)
{
    uint32_t tensor = op->kind == EFM_OP_OUTPUT ? efm_model_inputs(model) + op->link : op->link;
    efm_status status = check_tensor(model, tensor, rows);
    if (status != EFM_OK || is_packed(rows)) {
        return status;
    }
    return op->kind == EFM_OP_OUTPUT && op->scratch_bytes >= row_bytes(rows) ? EFM_OK : EFM_BAD_OPERATOR;
}

/* The executor's own operators have one operand and no parameters or weights. */
static efm_status check_mover(const efm_model *model, uint32_t index, const efm_op_view *op, const efm_rows *rows)
{
    int makes = op->kind == EFM_OP_INPUT || op->kind == EFM_OP_LOAD;
    if (op->n_in != (makes ? 0u : 1u) || op->n_out != (makes ? 1u : 0u) || op->n_params != 0 || op->weights_bytes != 0
        || op->rows != rows->height) {
        return EFM_BAD_OPERATOR;
    }
    if (op->kind == EFM_OP_INPUT || op->kind == EFM_OP_OUTPUT) {
        return check_end(model, op, rows);
    }
    return efm_check_cursor(model, index, op, rows);
}

static efm_status check_compute(const efm_op_view *op, const efm_op_args *args)
{
    const efm_op_class *entry = efm_op_find(op->kind);
    if (entry == NULL) {
        return EFM_BAD_FEATURE;
    }
    if (op->n_in == 0 || op->n_out == 0) {
        return EFM_BAD_OPERATOR;
    }
    efm_status status = entry->check(args);
    if (status != EFM_OK) {
        return status;
    }
    if (op->rows != ((entry->flags & EFM_OP_ACCUMULATES) ? args->in : args->out)[0].height) {
        return EFM_BAD_OPERATOR;
    }
    if (entry->flags & EFM_OP_ACCUMULATES) {
        for (uint32_t i = 0; i < op->n_out; i++) {
            if (args->out[i].capacity < args->out[i].height) {
                return EFM_BAD_OPERATOR;
            }
        }
    }
    return EFM_OK;
}

static efm_status check_op(const efm_model *model, uint32_t index, efm_rows *rows)
{
    efm_status status = check_op_ranges(model, index);
    if (status != EFM_OK) {
        return status;
    }
    efm_op_view op;
    efm_model_op(model, index, &op);
    if (op.n_in + op.n_out == 0) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; i < op.n_in + op.n_out; i++) {
        uint32_t stream = efm_load_le16(op.operands + 2 * i);
        if (stream >= efm_model_count(model, EFM_SECTION_STREAMS)) {
            return EFM_BAD_OPERATOR;
        }
        if (i >= op.n_in && efm_model_producer(model, stream) != index) {
            return EFM_BAD_OPERATOR;
        }
        efm_model_rows(model, stream, NULL, &rows[i]);
    }
    if (op.kind >= EFM_OP_INPUT && op.kind <= EFM_OP_STORE) {
        return check_mover(model, index, &op, rows);
    }
    efm_op_args args = {.params = op.params,
                        .n_params = op.n_params,
                        .weights = op.weights,
                        .weights_bytes = op.weights_bytes,
                        .in = rows,
                        .n_in = op.n_in,
                        .out = rows + op.n_in,
                        .n_out = op.n_out,
                        .scratch_bytes = op.scratch_bytes};
    return check_compute(&op, &args);
}

/* `rows` has room for EFM_MAX_OPERANDS. */
static efm_status check_ops(const efm_model *model, efm_rows *rows)
{
    efm_status status = EFM_OK;
    for (uint32_t i = 0; status == EFM_OK && i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        status = check_op(model, i, rows);
    }
    return status;
}

/* Operators of one kind have the links 0 .. count - 1, each once. */
static int links_fit(const efm_model *model, uint32_t kind, uint32_t count)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; count <= EFM_MAX_ENDS && i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, i);
        uint32_t link = efm_load_le32(at + EFM_OPERATOR_AT_LINK);
        if (at[EFM_OPERATOR_AT_KIND] != kind) {
            continue;
        }
        if (link >= count || (seen >> link & 1) != 0) {
            return 0;
        }
        seen |= (uint32_t)1 << link;
    }
    return count <= EFM_MAX_ENDS;
}

/* The tensor table has the inputs, then the outputs, each with its operator. */
static efm_status check_ends(const efm_model *model)
{
    uint32_t n_in = efm_model_inputs(model), n_out = efm_model_outputs(model);
    if (n_in + n_out != efm_model_count(model, EFM_SECTION_TENSORS)) {
        return EFM_BAD_SECTION;
    }
    return links_fit(model, EFM_OP_INPUT, n_in) && links_fit(model, EFM_OP_OUTPUT, n_out) ? EFM_OK : EFM_BAD_OPERATOR;
}

/* Every stream is among its producer's outputs: what nobody makes, nobody can wait for. */
static efm_status check_producers(const efm_model *model)
{
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_STREAMS); i++) {
        efm_op_view op;
        efm_model_op(model, efm_model_producer(model, i), &op);
        uint32_t k = op.n_in;
        while (k < op.n_in + op.n_out && efm_load_le16(op.operands + 2 * k) != i) {
            k++;
        }
        if (k == op.n_in + op.n_out) {
            return EFM_BAD_STREAM;
        }
    }
    return EFM_OK;
}

static efm_status check_schedule(const efm_model *model)
{
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_FIRINGS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_FIRINGS, i);
        if (efm_load_le16(at + EFM_FIRING_AT_OPERATOR) >= efm_model_count(model, EFM_SECTION_OPERATORS)
            || efm_load_le16(at + EFM_FIRING_AT_ROWS) == 0) {
            return EFM_BAD_SCHEDULE;
        }
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < efm_model_stages(model); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_STAGES, i);
        if (efm_load_le32(at + EFM_STAGE_AT_FIRST) != next
            || !fits(next, efm_load_le32(at + EFM_STAGE_AT_FIRINGS), efm_model_count(model, EFM_SECTION_FIRINGS))) {
            return EFM_BAD_SCHEDULE;
        }
        next += efm_load_le32(at + EFM_STAGE_AT_FIRINGS);
    }
    return next == efm_model_count(model, EFM_SECTION_FIRINGS) ? EFM_OK : EFM_BAD_SCHEDULE;
}

static efm_status check_control(const efm_model *model)
{
    uint32_t window = efm_model_window_operands(model), control = efm_model_control_bytes(model);
    uint32_t arena = efm_model_arena_bytes(model);
    if (window > EFM_MAX_OPERANDS || control % 8 != 0 || arena > EFM_MAX_BYTES || control > arena
        || efm_model_states_end(model) > control) {
        return EFM_BAD_BUFFER;
    }
    return EFM_OK;
}

/* The page pool, where there is one, lies behind the control region; a package without one says nothing. */
static efm_status check_pool(const efm_model *model)
{
    uint32_t arena = efm_model_arena_bytes(model), offset = efm_model_field(model, EFM_AT_POOL);
    uint32_t pages = efm_model_pool_pages(model), bytes = efm_model_page_bytes(model);
    if (pages == 0) {
        return offset == 0 && bytes == 0 ? EFM_OK : EFM_BAD_BUFFER;
    }
    if (bytes < EFM_MIN_PAGE || bytes > EFM_MAX_PAGE || offset % 8 != 0 || offset < efm_model_control_bytes(model)
        || offset > arena || bytes > (arena - offset) / pages) {
        return EFM_BAD_BUFFER;
    }
    return EFM_OK;
}

efm_status efm_model_open(efm_model *model, const uint8_t *package, uint32_t bytes, uint8_t *arena,
                          uint32_t arena_bytes)
{
    static efm_status (*const CHECKS[])(const efm_model *) = {check_control,  check_pool, check_buffers, check_streams,
                                                              efm_check_maps, check_ends, check_schedule};
    if (arena_bytes < EFM_OPEN_BYTES || (uintptr_t)arena % EFM_ARENA_ALIGNMENT != 0) {
        return EFM_BAD_ARGUMENT;
    }
    efm_status status = check_header(package, bytes);
    if (status != EFM_OK) {
        return status;
    }
    *model = (efm_model){.package = package, .bytes = bytes};
    status = check_sections(model);
    for (uint32_t i = 0; status == EFM_OK && i < sizeof CHECKS / sizeof CHECKS[0]; i++) {
        status = CHECKS[i](model);
    }
    if (status == EFM_OK) {
        status = check_ops(model, (efm_rows *)(void *)arena);
    }
    return status == EFM_OK ? check_producers(model) : status;
}
