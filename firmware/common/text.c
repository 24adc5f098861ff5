/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stddef.h>

#include "edgefm_bytes.h"

enum { PIXEL_ZERO = -128, WHOLE = 0x3f800000, VALUE = 0x7fffffff };

/* Ctrl-C, then CR or Ctrl-C again, then Ctrl-A: how tools for MicroPython begin. */
#define ASKED       0x030d01u
#define ASKED_TWICE 0x030301u

/* The package "mlperf.efm", else the first of all. */
static bool find_package(const efm_text *text, efm_store_entry *package)
{
    static const uint8_t name[] = "mlperf.efm";
    uint32_t cursor = 0;
    return text->store != NULL
           && (efm_store_find(text->store, name, sizeof name - 1, package)
               || efm_store_next(text->store, &cursor, package));
}

static bool model(void *context, const uint8_t **name, uint32_t *name_bytes)
{
    efm_store_entry package;
    if (!find_package(context, &package)) {
        return false;
    }
    *name = package.name;
    *name_bytes = package.name_bytes;
    return true;
}

/* The runner sends pixels as 0 to 255; where the first input is int8 with zero point -128 it takes them less 128. */
static int take_pixels(efm_text *text, const efm_store_entry *package, uint8_t *input, uint32_t bytes)
{
    const efm_board *board = text->board;
    efm_model *model = &text->inference->model;
    efm_tensor tensor;
    efm_status status = efm_model_open(model, package->at, package->bytes, board->arena, board->arena_bytes);
    if (status == EFM_OK) {
        status = efm_model_input(model, 0, &tensor);
    }
    if (status != EFM_OK) {
        return status;
    }
    uint64_t size = (uint64_t)tensor.rows * tensor.row_bytes;
    if (tensor.type == EFM_TYPE_INT8 && tensor.zero_point == PIXEL_ZERO) {
        for (uint32_t i = 0; i < bytes && i < size; i++) {
            input[i] ^= 0x80;
        }
    }
    return EFM_OK;
}

/* The board's timer as if runs were nothing but computing: no hashing, no rows moved for the host. */
static uint64_t ticks(void *context)
{
    const efm_text *text = context;
    return text->board->ticks(text->board->context) - text->apart;
}

static int infer(void *context, uint8_t *input, uint32_t bytes, bool fresh)
{
    efm_text *text = context;
    efm_link *link = text->inference->host.link;
    efm_store_entry package, rows = {.at = input, .bytes = bytes};
    efm_reason reason;
    if (!find_package(text, &package)) {
        return EFM_LINK_NOT_FOUND;
    }
    int status = fresh ? take_pixels(text, &package, input, bytes) : EFM_OK;
    bool session = link->session;
    uint64_t began = ticks(text);
    link->session = false; /* a host that speaks text wants no events */
    link->busy = true;
    link->stop = false;
    if (status == EFM_OK) {
        status = efm_inference_run(text->inference, &package, &rows, 0, 1, &reason);
    }
    link->busy = false;
    link->session = session;
    if (status == EFM_OK) {
        text->apart += ticks(text) - began - text->inference->end.ticks;
    }
    if (status == EFM_OK && text->inference->output_at > (uint32_t)(input - text->board->results)) {
        return EFM_LINK_REFUSED; /* outputs lie over the input */
    }
    return status;
}

/* Element `index` at `at`, as what it is multiplied with the scale; false: a type without values. */
static bool read_code(const efm_tensor *tensor, const uint8_t *at, uint32_t index, int64_t *code, uint32_t *scale)
{
    *scale = tensor->scale_bits != 0 ? tensor->scale_bits : WHOLE;
    switch (tensor->type) {
    case EFM_TYPE_INT8:
        *code = (int8_t)at[index] - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_UINT8:
        *code = at[index] - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_INT32:
        *code = efm_load_le32s(at + 4 * index) - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_FLOAT32:
        *scale = efm_load_le32(at + 4 * index) & VALUE;
        *code = efm_load_le32s(at + 4 * index) < 0 ? -1 : 1;
        return true;
    default:
        return false;
    }
}

static bool result(void *context, uint32_t index, int64_t *thousandths)
{
    const efm_text *text = context;
    const uint8_t *at;
    uint32_t bytes, scale;
    efm_tensor tensor;
    int64_t code;
    if (efm_inference_output(text->inference, 0, &at, &bytes) != EFM_OK
        || efm_model_output(&text->inference->model, 0, &tensor) != EFM_OK) {
        return false;
    }
    uint32_t each = tensor.type == EFM_TYPE_INT8 || tensor.type == EFM_TYPE_UINT8 ? 1 : 4;
    if (index >= bytes / each || !read_code(&tensor, at, index, &code, &scale)) {
        return false;
    }
    *thousandths = efm_mlperf_thousandths(code, scale);
    return true;
}

void efm_text_init(efm_text *text, const efm_board *board, const efm_store *store, efm_inference *inference,
                   void (*write)(void *context, const uint8_t *bytes, uint32_t count), void *context)
{
    uint32_t half = board->results_bytes / 2;
    efm_mlperf_host host = {.context = text,
                            .board = board->name,
                            .line = context,
                            .write = write,
                            .input = board->results + half,
                            .input_bytes = board->results_bytes - half,
                            .ticks_per_second = board->ticks_per_second,
                            .clock = text,
                            .ticks = ticks,
                            .model = model,
                            .infer = infer,
                            .result = result};
    text->board = board;
    text->store = store;
    text->inference = inference;
    text->apart = 0;
    text->before = 0;
    efm_mlperf_init(&text->mlperf, &host);
}

/* Tools for MicroPython's raw REPL would wait ten seconds for what this is not. So all that mpremote waits for,
   with a restart and without, comes at once, and the line is what its program complains of; the same line comes
   first, for people. */
static void refuse_python(const efm_text *text)
{
#define LINE "edgefm firmware, not MicroPython: use `edgefm ls`\r\n\4"
    static const uint8_t answer[] = LINE "soft reboot\r\nraw REPL; CTRL-B to exit\r\n>R\0OK\4";
    const efm_mlperf_host *host = &text->mlperf.host;
    host->write(host->line, answer, sizeof answer - 1);
    host->write(host->line, answer, sizeof answer - 1);
    host->write(host->line, answer, sizeof LINE - 1);
#undef LINE
}

void efm_text_feed(efm_text *text, uint8_t byte)
{
    const efm_link *link = text->inference->host.link;
    text->mlperf.framed = link->session;
    text->before = (text->before << 8 | byte) & 0xffffff;
    if (link->busy) {
        return;
    }
    if (text->before == ASKED || text->before == ASKED_TWICE) {
        refuse_python(text);
        byte = 0; /* what came is not a command */
    }
    efm_mlperf_feed(&text->mlperf, byte);
}
