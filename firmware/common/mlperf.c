/* SPDX-License-Identifier: Apache-2.0 */
#include "mlperf.h"

#include <string.h>

#include "decimal.h"
#include "words.h"

enum { SPACE = ' ', END = '%', WARMUPS = 10, PRINTED = 16, PRINTED_LINE = 8 };

/* -- commands ----------------------------------------------------------------------------------- */

/* The name ends before ".efm": the runner looks for its tests by the models' names. */
static void tell_model(const efm_mlperf *text)
{
    const uint8_t *name;
    uint32_t bytes;
    efm_put(&text->out, "m-model-[");
    if (text->host.model(text->host.context, &name, &bytes)) {
        efm_put_bytes(&text->out, name, bytes);
    }
    efm_answer_line(&text->out, "]");
}

/* Input and results are the last model's, and go with it. */
static void choose_model(efm_mlperf *text, efm_words name)
{
    if (name.bytes != 0) {
        if (!text->host.choose(text->host.context, name.at, name.bytes)) {
            efm_answer_line(&text->out, "e-[model: not found]");
            return;
        }
        text->expected = text->loaded = 0;
        text->inferred = false;
    }
    tell_model(text);
}

static void help(const efm_mlperf *text)
{
    efm_answer_line(&text->out, "help, name, profile, model [NAME], timestamp, results\r\n"
                                "db load N, db HH[HH]*, db print [N=16] [offset=0]\r\n"
                                "infer [N=1] [warm-ups=10]");
}

static void tell_lap(const efm_mlperf *text)
{
    const uint32_t second = text->host.ticks_per_second;
    uint32_t rest;
    if (text->host.ticks == NULL) {
        efm_answer_line(&text->out, "e-[timestamp: the timer stands still]");
    } else if (second == 0) {
        efm_answer_with(&text->out, "m-[laps are instructions]\r\nm-lap-us-#", text->host.ticks(text->host.clock));
    } else {
        uint64_t seconds = efm_divide(text->host.ticks(text->host.clock), second, &rest);
        uint64_t less = efm_divide((uint64_t)rest * 1000000, second, &rest);
        efm_answer_with(&text->out, "m-lap-us-#", seconds * 1000000 + less);
    }
}

static void tell_results(const efm_mlperf *text)
{
    int64_t value;
    if (!text->inferred) {
        efm_answer_line(&text->out, "e-[results: none yet]");
        return;
    }
    efm_put(&text->out, "m-results-[");
    for (uint32_t i = 0; text->host.result(text->host.context, i, &value); i++) {
        efm_put(&text->out, i != 0 ? "," : "");
        efm_put_thousandths(&text->out, value);
    }
    efm_answer_line(&text->out, "]");
}

static void start_load(efm_mlperf *text, efm_words size)
{
    uint32_t bytes;
    text->expected = text->loaded = 0;
    if (!efm_word_number(size, &bytes) || bytes == 0 || bytes > text->host.input_bytes) {
        efm_answer_with(&text->out, "e-[db load: expected 1 to # bytes]", text->host.input_bytes);
    } else {
        text->expected = bytes;
        efm_answer_with(&text->out, "m-[Expecting # bytes]", bytes);
    }
}

/* Reads pairs of hexadecimal digits behind what is loaded; false when they are not, or when nothing is missing.
   Surplus digits are disregarded, as by the reference firmware. */
static bool read_pairs(efm_mlperf *text, efm_words hex)
{
    uint32_t count = hex.bytes / 2, missing = text->expected - text->loaded, high, low;
    if (hex.bytes == 0 || hex.bytes % 2 != 0 || missing == 0) {
        return false;
    }
    count = count < missing ? count : missing;
    for (uint32_t i = 0; i < count; i++) {
        high = efm_hex_digit(hex.at[2 * i]);
        low = efm_hex_digit(hex.at[2 * i + 1]);
        if (high > 15 || low > 15) {
            return false;
        }
        text->host.input[text->loaded + i] = (uint8_t)(high << 4 | low);
    }
    text->loaded += count;
    return true;
}

static void load(efm_mlperf *text, efm_words hex)
{
    if (!read_pairs(text, hex)) {
        efm_answer_with(&text->out, "e-[db: expected hex of up to # bytes]", text->expected - text->loaded);
        return;
    }
    text->fresh = text->loaded == text->expected;
    if (text->fresh) {
        efm_answer_line(&text->out, "m-load-done");
    }
}

/* A number that may be left out; false: it is something else. */
static bool read_optional(efm_words *rest, uint32_t *number)
{
    efm_words word = efm_next_word(rest);
    return word.bytes == 0 || efm_word_number(word, number);
}

static void print(const efm_mlperf *text, efm_words rest)
{
    uint32_t count = PRINTED, at = 0;
    if (!read_optional(&rest, &count) || !read_optional(&rest, &at) || at > text->loaded) {
        efm_answer_with(&text->out, "e-[db print: got # bytes]", text->loaded);
        return;
    }
    count = count < text->loaded - at ? count : text->loaded - at;
    for (uint32_t i = 0; i < count; i++) {
        efm_put(&text->out, i % PRINTED_LINE == 0 ? "m-buffer-" : "-");
        efm_put_hex(&text->out, text->host.input[at + i]);
        if (i % PRINTED_LINE == PRINTED_LINE - 1 || i == count - 1) {
            efm_answer_line(&text->out, "");
        }
    }
}

static void fill_input(efm_mlperf *text, efm_words rest)
{
    efm_words word = efm_next_word(&rest);
    if (efm_word_is(word, "load")) {
        start_load(text, efm_next_word(&rest));
    } else if (EFM_WITH_HELP && efm_word_is(word, "print")) {
        print(text, rest);
    } else {
        load(text, word);
    }
}

static bool repeat(efm_mlperf *text, uint32_t times)
{
    int status = 0;
    for (; status == 0 && times != 0; times--) {
        status = text->host.infer(text->host.context, text->host.input, text->loaded, text->fresh);
        text->fresh = false;
    }
    if (status != 0) {
        efm_answer_with(&text->out, "e-[infer: status -#]", (uint32_t)-status);
    }
    return status == 0;
}

static void infer(efm_mlperf *text, efm_words rest)
{
    uint32_t times = 1, warmups = WARMUPS;
    if (!read_optional(&rest, &times) || times == 0 || !read_optional(&rest, &warmups)) {
        efm_answer_line(&text->out, "e-[infer: expected times, warm-ups]");
        return;
    }
    if (text->loaded == 0 || text->loaded != text->expected) {
        efm_answer_with(&text->out, "e-[infer: input bytes missing: #]", text->expected - text->loaded);
        return;
    }
    efm_answer_with(&text->out, "m-warmup-start-#", warmups);
    text->inferred = false;
    if (!repeat(text, warmups)) {
        return;
    }
    efm_answer_with(&text->out, "m-warmup-done\r\nm-infer-start-#", times);
    tell_lap(text);
    if (!repeat(text, times)) {
        return;
    }
    text->inferred = true;
    tell_lap(text);
    efm_answer_line(&text->out, "m-infer-done");
    tell_results(text);
}

static void carry_out(efm_mlperf *text)
{
    efm_words rest = {text->line, text->line_bytes}, word = efm_next_word(&rest);
    if (efm_word_is(word, "name")) {
        efm_put(&text->out, "m-name-dut-[");
        efm_put(&text->out, text->host.board);
        efm_answer_line(&text->out, "]");
    } else if (efm_word_is(word, "profile")) {
        efm_answer_line(&text->out, "m-profile-[edgefm]");
        tell_model(text);
    } else if (efm_word_is(word, "model")) {
        choose_model(text, efm_next_word(&rest));
    } else if (EFM_WITH_HELP && efm_word_is(word, "help")) {
        help(text);
    } else if (efm_word_is(word, "timestamp")) {
        tell_lap(text);
    } else if (efm_word_is(word, "db")) {
        fill_input(text, rest);
    } else if (efm_word_is(word, "infer")) {
        infer(text, rest);
    } else if (efm_word_is(word, "results")) {
        tell_results(text);
    } else if (word.bytes != 0) {
        efm_put(&text->out, "e-[Unknown command: ");
        efm_put_bytes(&text->out, word.at, word.bytes);
        efm_answer_line(&text->out, "]");
    }
}

/* -- the line ----------------------------------------------------------------------------------- */

void efm_mlperf_init(efm_mlperf *text, const efm_mlperf_host *host)
{
    memset(text, 0, sizeof *text);
    text->host = *host;
    text->out = (efm_answer){host->write, host->line};
}

void efm_mlperf_greet(const efm_mlperf *text)
{
    efm_put(&text->out, "m-timestamp-mode-performance\r\nm-init-done\r\nm-ready\r\n");
}

static void forget(efm_mlperf *text)
{
    text->line_bytes = 0;
    text->spoilt = false;
}

static void end_line(efm_mlperf *text)
{
    if (text->spoilt && text->framed) {
        return;
    }
    if (!text->spoilt) {
        carry_out(text);
    } else if (text->line_bytes == EFM_MLPERF_LINE) {
        efm_answer_with(&text->out, "e-[expected % after at most # bytes]", EFM_MLPERF_LINE);
    }
    if (!text->spoilt || text->line_bytes == EFM_MLPERF_LINE) {
        efm_answer_line(&text->out, "m-ready");
    }
    forget(text);
}

void efm_mlperf_feed(efm_mlperf *text, uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        return;
    }
    if (byte == 0) {
        forget(text);
    } else if (byte == END) {
        end_line(text);
    } else if (byte < SPACE || byte > '~' || text->line_bytes == EFM_MLPERF_LINE) {
        text->spoilt = true;
    } else {
        text->line[text->line_bytes++] = byte;
    }
}
