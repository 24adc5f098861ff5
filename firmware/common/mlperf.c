/* SPDX-License-Identifier: Apache-2.0 */
#include "mlperf.h"

#include <string.h>

#include "decimal.h"

enum { MOST = 1 << 30, SPACE = ' ', END = '%' };

/* The rest of a line. */
typedef struct words {
    const uint8_t *at;
    uint32_t bytes;
} words;

/* -- answers ------------------------------------------------------------------------------------ */

static void put_bytes(const efm_mlperf *text, const uint8_t *bytes, uint32_t count)
{
    text->host.write(text->host.line, bytes, count);
}

/* At least `least` digits. */
static void put_number(const efm_mlperf *text, uint64_t number, uint32_t least)
{
    uint8_t digits[EFM_DIGITS];
    uint32_t at = efm_decimal(number, least, digits);
    put_bytes(text, digits + at, EFM_DIGITS - at);
}

/* A string, with a number where it has '#'. */
static void put_with(const efm_mlperf *text, const char *string, uint64_t number)
{
    for (; *string != 0; string++) {
        if (*string == '#') {
            put_number(text, number, 1);
        } else {
            put_bytes(text, (const uint8_t *)string, 1);
        }
    }
}

static void put(const efm_mlperf *text, const char *string)
{
    put_with(text, string, 0);
}

/* The same as a line. */
static void answer_with(const efm_mlperf *text, const char *string, uint64_t number)
{
    put_with(text, string, number);
    put(text, "\r\n");
}

static void answer(const efm_mlperf *text, const char *string)
{
    answer_with(text, string, 0);
}

static void put_thousandths(const efm_mlperf *text, int64_t value)
{
    uint32_t rest;
    uint64_t whole = efm_divide(value < 0 ? (uint64_t)-value : (uint64_t)value, 1000, &rest);
    put(text, value < 0 ? "-" : "");
    put_number(text, whole, 1);
    put(text, ".");
    put_number(text, rest, 3);
}

int64_t efm_mlperf_thousandths(int64_t code, uint32_t scale)
{
    const uint64_t limit = (uint64_t)1 << 60;
    uint64_t size = code < 0 ? (uint64_t)-code : (uint64_t)code;
    uint64_t mantissa = (scale & 0x7fffffu) | (scale >> 23 != 0 ? 0x800000u : 0);
    uint64_t product = (size > UINT32_MAX ? UINT32_MAX : size) * mantissa;
    int32_t shift = (int32_t)(scale >> 23 & 0xff) - 150;
    for (; product >> 53 != 0; product >>= 1) {
        shift++;
    }
    product *= 1000;
    if (shift < 0) {
        product = shift < -63 ? 0 : (product + ((uint64_t)1 << (-shift - 1))) >> -shift;
    } else {
        product = shift > 40 || product > limit >> shift ? limit : product << shift;
    }
    return code < 0 ? -(int64_t)product : (int64_t)product;
}

/* -- words -------------------------------------------------------------------------------------- */

static words next_word(words *rest)
{
    while (rest->bytes != 0 && *rest->at == SPACE) {
        rest->at++;
        rest->bytes--;
    }
    words word = {rest->at, 0};
    while (word.bytes < rest->bytes && word.at[word.bytes] != SPACE) {
        word.bytes++;
    }
    rest->at += word.bytes;
    rest->bytes -= word.bytes;
    return word;
}

static bool is(words word, const char *string)
{
    uint32_t i = 0;
    while (i < word.bytes && string[i] != 0 && word.at[i] == (uint8_t)string[i]) {
        i++;
    }
    return i == word.bytes && string[i] == 0;
}

static bool read_number(words word, uint32_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < word.bytes; i++) {
        if (word.at[i] < '0' || word.at[i] > '9' || *number > MOST / 10) {
            return false;
        }
        *number = *number * 10 + word.at[i] - '0';
    }
    return word.bytes != 0;
}

/* The value of a hexadecimal digit, 16 for any other byte. */
static uint32_t digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

/* -- commands ----------------------------------------------------------------------------------- */

static void tell_profile(const efm_mlperf *text)
{
    const uint8_t *name;
    uint32_t bytes;
    put(text, "m-profile-[edgefm]\r\nm-model-[");
    if (text->host.model(text->host.context, &name, &bytes)) {
        put_bytes(text, name, bytes);
    }
    answer(text, "]");
}

static void tell_lap(const efm_mlperf *text)
{
    const uint32_t second = text->host.ticks_per_second;
    uint32_t rest;
    if (second == 0) {
        answer(text, "e-[timestamp: this board has no clock]");
    } else {
        uint64_t seconds = efm_divide(text->host.ticks(text->host.clock), second, &rest);
        uint64_t less = efm_divide((uint64_t)rest * 1000000, second, &rest);
        answer_with(text, "m-lap-us-#", seconds * 1000000 + less);
    }
}

static void tell_results(const efm_mlperf *text)
{
    int64_t value;
    if (!text->inferred) {
        answer(text, "e-[results: none yet]");
        return;
    }
    put(text, "m-results-[");
    for (uint32_t i = 0; text->host.result(text->host.context, i, &value); i++) {
        put(text, i != 0 ? "," : "");
        put_thousandths(text, value);
    }
    answer(text, "]");
}

static void start_load(efm_mlperf *text, words size)
{
    uint32_t bytes;
    text->expected = text->loaded = 0;
    if (!read_number(size, &bytes) || bytes == 0 || bytes > text->host.input_bytes) {
        answer_with(text, "e-[db load: expected 1 to # bytes]", text->host.input_bytes);
    } else {
        text->expected = bytes;
        answer_with(text, "m-[Expecting # bytes]", bytes);
    }
}

/* Reads pairs of hexadecimal digits behind what is loaded; false when they are not, or too many. */
static bool read_pairs(efm_mlperf *text, words hex)
{
    uint32_t count = hex.bytes / 2, high, low;
    if (hex.bytes == 0 || hex.bytes % 2 != 0 || count > text->expected - text->loaded) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        high = digit(hex.at[2 * i]);
        low = digit(hex.at[2 * i + 1]);
        if (high > 15 || low > 15) {
            return false;
        }
        text->host.input[text->loaded + i] = (uint8_t)(high << 4 | low);
    }
    text->loaded += count;
    return true;
}

static void load(efm_mlperf *text, words hex)
{
    if (!read_pairs(text, hex)) {
        answer_with(text, "e-[db: expected hex of up to # bytes]", text->expected - text->loaded);
        return;
    }
    text->fresh = text->loaded == text->expected;
    if (text->fresh) {
        answer(text, "m-load-done");
    }
}

static void fill_input(efm_mlperf *text, words rest)
{
    words word = next_word(&rest);
    if (is(word, "load")) {
        start_load(text, next_word(&rest));
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
        answer_with(text, "e-[infer: status -#]", (uint32_t)-status);
    }
    return status == 0;
}

static void infer(efm_mlperf *text, words rest)
{
    uint32_t times = 1, warmups = 0;
    words first = next_word(&rest), second = next_word(&rest);
    if ((first.bytes != 0 && (!read_number(first, &times) || times == 0))
        || (second.bytes != 0 && !read_number(second, &warmups))) {
        answer(text, "e-[infer: expected times, warm-ups]");
        return;
    }
    if (text->loaded == 0 || text->loaded != text->expected) {
        answer_with(text, "e-[infer: input bytes missing: #]", text->expected - text->loaded);
        return;
    }
    answer_with(text, "m-warmup-start-#", warmups);
    text->inferred = false;
    if (!repeat(text, warmups)) {
        return;
    }
    answer_with(text, "m-warmup-done\r\nm-infer-start-#", times);
    tell_lap(text);
    if (!repeat(text, times)) {
        return;
    }
    text->inferred = true;
    tell_lap(text);
    answer(text, "m-infer-done");
    tell_results(text);
}

static void carry_out(efm_mlperf *text)
{
    words rest = {text->line, text->line_bytes}, word = next_word(&rest);
    if (is(word, "name")) {
        put(text, "m-name-dut-[");
        put(text, text->host.board);
        answer(text, "]");
    } else if (is(word, "profile")) {
        tell_profile(text);
    } else if (is(word, "timestamp")) {
        tell_lap(text);
    } else if (is(word, "db")) {
        fill_input(text, rest);
    } else if (is(word, "infer")) {
        infer(text, rest);
    } else if (is(word, "results")) {
        tell_results(text);
    } else if (word.bytes != 0) {
        put(text, "e-[Unknown command: ");
        put_bytes(text, word.at, word.bytes);
        answer(text, "]");
    }
}

/* -- the line ----------------------------------------------------------------------------------- */

void efm_mlperf_init(efm_mlperf *text, const efm_mlperf_host *host)
{
    memset(text, 0, sizeof *text);
    text->host = *host;
}

void efm_mlperf_greet(const efm_mlperf *text)
{
    put(text, "m-timestamp-mode-performance\r\nm-init-done\r\nm-ready\r\n");
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
        answer_with(text, "e-[expected % after at most # bytes]", EFM_MLPERF_LINE);
    }
    if (!text->spoilt || text->line_bytes == EFM_MLPERF_LINE) {
        answer(text, "m-ready");
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
