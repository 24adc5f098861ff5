/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stddef.h>

#include <string.h>

#include "edgefm_bytes.h"
#include "values.h"

enum { PIXEL_ZERO = -128, FLOAT_BYTES = 4, SUFFIX_BYTES = 4 };

/* Ctrl-C, then CR or Ctrl-C again, then Ctrl-A: how tools for MicroPython begin. */
#define ASKED       0x030d01u
#define ASKED_TWICE 0x030301u

/* The package that `model` has chosen, else "mlperf.efm", else the first of all. */
static bool find_package(const efm_text *text, efm_store_entry *package)
{
    static const uint8_t name[] = "mlperf.efm";
    uint32_t cursor = 0;
    return text->store != NULL
           && ((text->chosen_bytes != 0 && efm_store_find(text->store, text->chosen, text->chosen_bytes, package))
               || efm_store_find(text->store, name, sizeof name - 1, package)
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
    if (*name_bytes > SUFFIX_BYTES && memcmp(*name + *name_bytes - SUFFIX_BYTES, ".efm", SUFFIX_BYTES) == 0) {
        *name_bytes -= SUFFIX_BYTES;
    }
    return true;
}

/* By its name, with or without ".efm". */
static bool choose(void *context, const uint8_t *name, uint32_t name_bytes)
{
    efm_text *text = context;
    efm_store_entry package;
    uint8_t full[EFM_STORE_NAME_MAX + SUFFIX_BYTES];
    if (text->store == NULL || name_bytes > EFM_STORE_NAME_MAX) {
        return false;
    }
    memcpy(full, name, name_bytes);
    memcpy(full + name_bytes, ".efm", SUFFIX_BYTES);
    if (!efm_store_find(text->store, full, name_bytes, &package)
        && !efm_store_find(text->store, full, name_bytes + SUFFIX_BYTES, &package)) {
        return false;
    }
    memcpy(text->chosen, package.name, package.name_bytes);
    text->chosen_bytes = package.name_bytes;
    return true;
}

/* Anomaly detection answers with one number: how badly the network reproduces its input. */
static bool is_anomaly_test(const efm_text *text)
{
    const uint8_t *name;
    uint32_t bytes;
    return model((void *)(uintptr_t)text, &name, &bytes) && bytes == 4 && memcmp(name, "ad01", 4) == 0;
}

/* Bytes of the first input; 0 where another follows it. */
static uint32_t input_bytes(const efm_model *of, efm_tensor *tensor)
{
    efm_tensor second;
    uint64_t bytes = efm_model_input(of, 0, tensor) == EFM_OK ? (uint64_t)tensor->rows * tensor->row_bytes : 0;
    return bytes > UINT32_MAX / FLOAT_BYTES || efm_model_input(of, 1, &second) == EFM_OK ? 0 : (uint32_t)bytes;
}

/* What the runner sends becomes what the package takes: real numbers for an int8 input its codes, which lie behind
   them; pixels from 0 to 255 for an int8 input with zero point -128 those less 128. */
static int take_input(efm_text *text, const efm_store_entry *package, uint8_t *input, uint32_t bytes)
{
    const efm_board *board = text->board;
    efm_model *of = &text->inference->model;
    efm_tensor tensor;
    efm_status status = efm_model_open(of, package->at, package->bytes, board->arena, board->arena_bytes);
    text->rows = input;
    text->rows_bytes = bytes;
    text->floats = 0;
    if (status == EFM_OK) {
        status = efm_model_input(of, 0, &tensor);
    }
    if (status != EFM_OK) {
        return status;
    }
    uint32_t size = input_bytes(of, &tensor);
    if (EFM_WITH_FLOATS && tensor.type == EFM_TYPE_FLOAT32) {
        text->floats = bytes / FLOAT_BYTES;
    } else if (EFM_WITH_FLOATS && tensor.type == EFM_TYPE_INT8 && size != 0 && bytes == FLOAT_BYTES * size) {
        if (size > text->mlperf.host.input_bytes - bytes) {
            return EFM_LINK_REFUSED;
        }
        text->floats = size;
        text->rows = input + bytes;
        text->rows_bytes = size;
        efm_values_quantize(&tensor, input, text->rows, size);
    } else if (tensor.type == EFM_TYPE_INT8 && tensor.zero_point == PIXEL_ZERO) {
        uint64_t pixels = (uint64_t)tensor.rows * tensor.row_bytes;
        for (uint32_t i = 0; i < bytes && i < pixels; i++) {
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
    efm_store_entry package;
    efm_reason reason;
    if (!find_package(text, &package)) {
        return EFM_LINK_NOT_FOUND;
    }
    int status = fresh ? take_input(text, &package, input, bytes) : EFM_OK;
    efm_store_entry rows = {.at = text->rows, .bytes = text->rows_bytes};
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
    uint32_t count = bytes / (tensor.type == EFM_TYPE_INT8 || tensor.type == EFM_TYPE_UINT8 ? 1 : 4);
    if (EFM_WITH_FLOATS && count != 0 && count == text->floats && is_anomaly_test(text)) {
        *thousandths = efm_thousandths(1, efm_values_error(&tensor, at, text->mlperf.host.input, count));
        return index == 0;
    }
    if (index >= count || !efm_value_code(&tensor, at, index, &code, &scale)) {
        return false;
    }
    *thousandths = efm_thousandths(code, scale);
    return true;
}

void efm_text_init(efm_text *text, const efm_board *board, const efm_store *store, efm_inference *inference,
                   void (*write)(void *context, const uint8_t *bytes, uint32_t count), void *context)
{
    uint32_t half = board->results_bytes / 2;
    bool timer_works = inference->host.timer_works;
    efm_mlperf_host host = {.context = text,
                            .board = board->name,
                            .line = context,
                            .write = write,
                            .input = board->results + half,
                            .input_bytes = board->results_bytes - half,
                            .ticks_per_second = board->ticks_per_second,
                            .clock = text,
                            .ticks = timer_works ? ticks : NULL,
                            .model = model,
                            .choose = choose,
                            .infer = infer,
                            .result = result};
    text->board = board;
    text->store = store;
    text->inference = inference;
    text->apart = 0;
    text->before = 0;
    text->chosen_bytes = 0;
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
