/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a package: sealed, so that fuzzing does not stop at the checksum, opened, and executed.
 *
 * Every piece of memory has exactly the size that the runtime was told, so that the address sanitizer
 * sees one byte too many. The port is asynchronous and moves bytes as late as it may; it aborts when
 * it is asked for something that no port could do. */
#include <stdlib.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "edgefm.h"
#include "model.h"
#include "backwards.h"
#include "behind_port.h"
#include "seal.h"

enum {
    MOST_FAST = 1 << 20,
    MOST_EXTERNAL = 1 << 20,
    PREPARED = 64, /* alignment */
    MOST_WORK = 1 << 22 /* of the estimate below, so that no input runs for seconds */
};

typedef struct board {
    const efm_model *model;
    uint8_t *arena;
    uint32_t arena_bytes;
    efm_late_port external, weights;
    uint32_t seen; /* of everything that came out, so that all of it is read */
} board;

static void look_at(board *b, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        b->seen = b->seen * 31 + bytes[i];
    }
}

static void must(int holds)
{
    if (!holds) {
        abort();
    }
}

static int inside(const board *b, const uint8_t *at, uint32_t bytes)
{
    return at >= b->arena && bytes <= b->arena_bytes && at <= b->arena + (b->arena_bytes - bytes);
}

/* -- callbacks ------------------------------------------------------------------------------------- */

static int32_t give_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    must(inside(context, row, bytes));
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)((i * 7 + y * 13 + input) * 37 >> 2);
    }
    return 0;
}

static int32_t take_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    (void)output;
    (void)y;
    must(inside(context, row, bytes));
    look_at(context, row, bytes);
    return 0;
}

static void tap(void *context, uint32_t stream, uint32_t y, const uint8_t *row, uint32_t pixel_stride)
{
    board *b = context;
    efm_rows rows;
    efm_model_rows(b->model, stream, NULL, &rows);
    must(y < rows.height);
    for (uint32_t x = 0; x < rows.width; x++) {
        look_at(b, row + (size_t)x * pixel_stride, rows.channels * rows.element);
    }
}

static void must_be_possible(const board *b, uint32_t address, const uint8_t *at, uint32_t bytes)
{
    uint32_t burst = efm_model_burst(b->model), alignment = efm_model_alignment(b->model);
    must(bytes > 0 && address <= b->external.bytes && bytes <= b->external.bytes - address);
    must(inside(b, at, bytes));
    must(address % alignment == 0 && bytes % alignment == 0 && (burst == 0 || bytes <= burst));
}

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    board *b = port;
    must_be_possible(b, address, to, bytes);
    return efm_late_read(&b->external, address, to, bytes, ticket);
}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    board *b = port;
    must_be_possible(b, address, from, bytes);
    return efm_late_write(&b->external, address, from, bytes, ticket);
}

static int32_t wait(void *port, uint32_t ticket)
{
    board *b = port;
    return efm_late_wait(&b->external, ticket);
}

static int32_t begin_weights(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    board *b = port;
    uint32_t burst = efm_model_field(b->model, EFM_AT_WEIGHT_BURST), alignment = efm_model_weight_alignment(b->model);
    must(address <= b->weights.bytes && bytes <= b->weights.bytes - address && inside(b, to, bytes));
    must(address % alignment == 0 && bytes % alignment == 0 && (burst == 0 || bytes <= burst));
    for (uint32_t i = 0; i < EFM_LATE_FLIGHTS; i++) {
        must(!b->weights.flight[i].busy);
    }
    return efm_late_read(&b->weights, address, to, bytes, ticket);
}

static int32_t wait_weights(void *port, uint32_t ticket)
{
    board *b = port;
    must(ticket == 0 && b->weights.flight[0].busy);
    return efm_late_wait(&b->weights, ticket);
}

/* -- limits ---------------------------------------------------------------------------------------- */

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* About how many steps a row of the operator takes: its widest operand times what each value costs. */
static uint64_t row_work(const efm_model *model, const efm_op_view *op)
{
    uint64_t widest = 0, cost = 64;
    for (uint32_t i = 0; i < op->args.n_in + op->args.n_out; i++) {
        efm_rows rows;
        efm_model_rows(model, efm_load_le16(op->operands + 2 * i), NULL, &rows);
        uint64_t values = (uint64_t)rows.width * rows.channels, map = values * rows.height;
        widest = values > widest ? values : widest;
        if (op->args.n_params >= 2) { /* a window, and never more of it than there is map */
            cost += lesser((uint64_t)efm_load_le32(op->args.params) * efm_load_le32(op->args.params + 4), map);
        }
        if (i >= op->args.n_in) {
            cost += op->args.weights_bytes / rows.channels;
        }
    }
    return widest * cost;
}

static int is_small(const efm_model *model)
{
    uint64_t work = 0;
    if (efm_model_arena_bytes(model) > MOST_FAST || efm_model_external_bytes(model) > MOST_EXTERNAL) {
        return 0;
    }
    for (uint32_t i = 0; work <= MOST_WORK && i < model->section[EFM_SECTION_OPERATORS].count; i++) {
        efm_op_view op;
        efm_model_op(model, i, &op);
        work += op.rows * row_work(model, &op);
    }
    return work <= MOST_WORK;
}

/* -- the way through -------------------------------------------------------------------------------- */

static void describe(const efm_model *model, board *b)
{
    efm_tensor tensor;
    for (uint32_t i = 0; efm_model_input(model, i, &tensor) == EFM_OK; i++) {
        look_at(b, tensor.name, tensor.name_bytes);
    }
    for (uint32_t i = 0; efm_model_output(model, i, &tensor) == EFM_OK; i++) {
        look_at(b, tensor.name, tensor.name_bytes);
    }
}

/* Map by map and in all the same was counted, also by a run that was given up. */
static void compare_counts(const efm_model *model, const efm_map_counters *maps, const efm_counters *all)
{
    uint64_t bytes = 0, raw_rows = 0;
    for (uint32_t i = 0; i < efm_model_maps(model); i++) {
        bytes += maps[i].write_bytes + maps[i].read_bytes;
        raw_rows += maps[i].raw_rows;
    }
    must(bytes == all->external_read_bytes + all->external_write_bytes + all->pool_bytes);
    must(raw_rows == all->raw_rows);
}

static void execute(const efm_model *model, efm_late_port weights)
{
    board b = {.model = model,
               .arena_bytes = efm_model_arena_bytes(model),
               .weights = weights,
               .external = {.bytes = efm_model_external_bytes(model)}};
    describe(model, &b);
    b.arena = malloc(b.arena_bytes > 0 ? b.arena_bytes : 1);
    b.external.memory = calloc(b.external.bytes > 0 ? b.external.bytes : 1, 1);
    efm_map_counters *maps = malloc(efm_model_maps(model) * sizeof *maps + 1);
    must(b.arena != NULL && b.external.memory != NULL && maps != NULL);
    efm_host host = {.context = &b,
                     .input = give_input,
                     .repeats = 1,
                     .output = take_output,
                     .tap = tap,
                     .port = {begin_read, begin_write, wait, &b},
                     .weights = {begin_weights, NULL, wait_weights, &b},
                     .maps = maps};
    efm_counters counters;
    efm_status status = b.arena_bytes / 8 % 2 == 0 ? backwards_run(model, &host, b.arena, b.arena_bytes, &counters)
                                                   : efm_run(model, &host, b.arena, b.arena_bytes, &counters);
    look_at(&b, (const uint8_t *)efm_status_name(status), 6);
    must(!b.weights.flight[0].busy);
    compare_counts(model, maps, &counters);
    free(maps);
    volatile uint32_t seen = b.seen;
    (void)seen;
    free(b.arena);
    free(b.external.memory);
}

/* Once more with weights laid out for the processor's kernels. A forged table may promise what is not so, so that
   outputs need not be the same. */
static void execute_prepared(efm_model *model)
{
    uint32_t bytes = efm_model_prepare_bytes(model);
    if (bytes == 0) {
        return;
    }
    uint8_t *memory = aligned_alloc(PREPARED, bytes);
    must(bytes % PREPARED == 0 && memory != NULL && efm_model_prepare(model, memory, bytes) == EFM_OK);
    execute(model, weights_behind(model));
    free(memory);
}

/* Once more with no more of the package in memory than has to be. */
static void execute_front(const efm_model *whole)
{
    uint32_t bytes = efm_package_front_bytes(whole->package);
    if (bytes >= whole->bytes) {
        return;
    }
    uint8_t *front = malloc(bytes), *lent = malloc(EFM_OPEN_BYTES);
    efm_model model;
    must(front != NULL && lent != NULL);
    memcpy(front, whole->package, bytes);
    if (efm_model_open(&model, front, bytes, lent, EFM_OPEN_BYTES) == EFM_OK) {
        efm_status verified = efm_model_verify(&model);
        must(verified == EFM_OK || verified == EFM_BAD_CHECKSUM);
        execute(&model, weights_behind(whole));
    }
    free(lent);
    free(front);
}

/* -- changes that a mutation of bytes seldom makes --------------------------------------------------- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

typedef struct span {
    uint32_t at, records, record_bytes;
} span;

/* Section number `which` of the table, cut to what is really there. */
static span section_of(const uint8_t *package, size_t bytes, uint32_t which)
{
    static const uint8_t RECORDS[] = {
        [EFM_SECTION_STREAMS] = EFM_STREAM_BYTES,     [EFM_SECTION_BUFFERS] = EFM_BUFFER_BYTES,
        [EFM_SECTION_OPERATORS] = EFM_OPERATOR_BYTES, [EFM_SECTION_FIRINGS] = EFM_FIRING_BYTES,
        [EFM_SECTION_STAGES] = EFM_STAGE_BYTES,       [EFM_SECTION_MAPS] = EFM_MAP_BYTES,
        [EFM_SECTION_TENSORS] = EFM_TENSOR_BYTES,     [EFM_SECTION_CAPS] = EFM_CAP_BYTES,
        [EFM_SECTION_TILES] = EFM_TILE_BYTES,         [EFM_SECTION_REFERENCES] = EFM_REFERENCE_BYTES};
    const uint8_t *entry = package + EFM_HEADER_BYTES + which * EFM_SECTION_BYTES;
    uint32_t id = efm_load_le16(entry), at = efm_load_le32(entry + 4), size = efm_load_le32(entry + 8);
    uint32_t record = id < sizeof RECORDS && RECORDS[id] != 0 ? RECORDS[id] : 4;
    if (at > bytes || size > bytes - at) {
        return (span){0, 0, record};
    }
    return (span){at, size / record, record};
}

/* Gives a record a field of its neighbor: two buffers then share memory, two operators a scratch. */
static void copy_field(uint8_t *package, const span *s, uint32_t random)
{
    uint32_t from = random % s->records, to = random / 7 % s->records, field = random / 49 % (s->record_bytes / 4) * 4;
    memmove(package + s->at + to * s->record_bytes + field, package + s->at + from * s->record_bytes + field, 4);
}

/* Moves a field a little, in elements or in eights. */
static void step_field(uint8_t *package, const span *s, uint32_t random)
{
    static const int8_t STEPS[] = {1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 64, -64};
    uint8_t *field = package + s->at + random % (s->records * s->record_bytes / 4) * 4;
    efm_store_le32(field, efm_load_le32(field) + (uint32_t)STEPS[random / 5 % sizeof STEPS]);
}

/* Half of all changes are to fields of records, so that plans stay plans and overlap. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
    uint32_t random = seed * 2654435761u,
             sections = size < EFM_HEADER_BYTES ? 0 : efm_load_le32(data + EFM_AT_SECTIONS);
    if (random >> 31 || sections == 0 || sections > (size - EFM_HEADER_BYTES) / EFM_SECTION_BYTES) {
        return LLVMFuzzerMutate(data, size, most);
    }
    span s = section_of(data, size, (random >> 20) % sections);
    if (s.records == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    if (random >> 30 & 1) {
        copy_field(data, &s, random >> 3 & 0xfffff);
    } else {
        step_field(data, &s, random >> 3 & 0xfffff);
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *package = malloc(size > 0 ? size : 1), *lent = malloc(EFM_OPEN_BYTES);
    efm_model model;
    must(package != NULL && lent != NULL);
    memcpy(package, data, size);
    seal_cut(package, (uint32_t)size);
    efm_status status = efm_model_open(&model, package, (uint32_t)size, lent, EFM_OPEN_BYTES);
    free(lent);
    if (status == EFM_OK) {
        efm_status whole = efm_model_verify(&model); /* tiles are not mended: any answer will do */
        must(whole == EFM_OK || whole == EFM_BAD_CHECKSUM);
    }
    if (status == EFM_OK && is_small(&model)) {
        mend_tiles(&model, package);
        execute(&model, weights_behind(&model));
        execute_prepared(&model);
        seal_cut(package, (uint32_t)size);
        execute_front(&model);
    }
    free(package);
    return 0;
}
