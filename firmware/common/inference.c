/* SPDX-License-Identifier: Apache-2.0 */
#include "inference.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"

enum { HASH_PIECE = 4096 };

/* -- events --------------------------------------------------------------------------------------- */

static uint8_t *payload_of(efm_inference *inference)
{
    return inference->frame + EFM_LINK_HEAD_BYTES;
}

/* Frames that are longer than the host takes are left out; the whole is read as bulk data. */
static void send_event(efm_inference *inference, uint32_t bytes)
{
    if (bytes + EFM_LINK_FRAME_EXTRA <= inference->host.link->frame_bytes) {
        efm_link_send_event(inference->host.link, inference->frame, bytes);
    }
    (void)inference->host.listen(inference->host.context, false);
}

static void on_stage(void *context, uint32_t stage)
{
    efm_inference *inference = context;
    const efm_board *board = inference->host.board;
    efm_watch_pause(&inference->watch);
    if (board->mark != NULL) {
        board->mark(board->context, stage);
    }
    if (inference->tell_stages) {
        efm_event_stage(payload_of(inference), inference->end.run, stage, efm_watch_now(&inference->watch),
                        &inference->end.counters);
        send_event(inference, EFM_STAGE_EVENT_BYTES);
    }
    efm_watch_resume(&inference->watch);
}

static int32_t on_poll(void *context)
{
    efm_inference *inference = context;
    efm_watch_pause(&inference->watch);
    bool there = inference->host.listen(inference->host.context, false);
    efm_watch_resume(&inference->watch);
    return !there || inference->host.link->stop;
}

/* -- rows ----------------------------------------------------------------------------------------- */

static bool pull_row(efm_inference *inference, uint8_t *row, uint32_t bytes)
{
    efm_link *link = inference->host.link;
    for (uint32_t at = 0;;) {
        at += efm_link_pull(link, row + at, bytes - at);
        if (at == bytes) {
            inference->pulled_crc = efm_crc32(inference->pulled_crc, row, bytes);
            return true;
        }
        if (!inference->host.listen(inference->host.context, true) || link->stop) {
            return false;
        }
    }
}

static int32_t on_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    efm_inference *inference = context;
    bool there = true;
    (void)input;
    (void)y;
    efm_watch_pause(&inference->watch);
    if (inference->stored != NULL) {
        memcpy(row, inference->stored, bytes);
        inference->stored += bytes;
    } else {
        there = pull_row(inference, row, bytes);
    }
    efm_watch_resume(&inference->watch);
    return there ? 0 : -1;
}

/* Outputs lie one after the other; how many bytes they are. */
static uint64_t place_outputs(efm_inference *inference)
{
    uint64_t at = 0;
    efm_tensor tensor;
    inference->outputs = 0;
    while (efm_model_output(&inference->model, inference->outputs, &tensor) == EFM_OK) {
        at += (uint64_t)tensor.rows * tensor.row_bytes;
        inference->output_end[inference->outputs++] = (uint32_t)at;
    }
    return at;
}

/* Counters by map lie behind `used` bytes of the board's results; none where they do not fit. */
static void place_maps(efm_inference *inference, uint32_t used)
{
    const efm_board *board = inference->host.board;
    uint32_t lead = (uint32_t)(-(uintptr_t)(board->results + used) % sizeof(uint64_t));
    uint64_t need = (uint64_t)inference->map_count * sizeof *inference->maps + lead;
    bool fits = inference->tell_maps && inference->map_count != 0 && need <= board->results_bytes - used;
    inference->maps = fits ? (efm_map_counters *)(void *)(board->results + used + lead) : NULL;
}

/* What the run needs of the board's results: room for its outputs, and for counters by map. */
static void place_results(efm_inference *inference)
{
    uint64_t bytes = place_outputs(inference);
    inference->kept = bytes <= inference->host.board->results_bytes;
    inference->map_count = efm_model_maps(&inference->model);
    place_maps(inference, inference->kept ? (uint32_t)bytes : 0);
}

static uint32_t output_start(const efm_inference *inference, uint32_t number)
{
    return number == 0 ? 0 : inference->output_end[number - 1];
}

static int32_t on_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    efm_inference *inference = context;
    efm_watch_pause(&inference->watch);
    uint32_t at = output_start(inference, output) + y * bytes;
    inference->in_order = inference->in_order && at == inference->output_at;
    inference->output_at += bytes;
    if (inference->kept) {
        memcpy(inference->host.board->results + at, row, bytes);
    } else if (inference->in_order) {
        efm_sha256_add(&inference->hash, row, bytes);
    }
    efm_watch_resume(&inference->watch);
    return 0;
}

static void hash_outputs(efm_inference *inference)
{
    if (inference->kept) {
        efm_sha256_add(&inference->hash, inference->host.board->results, inference->output_at);
    }
    if (inference->kept || inference->in_order) {
        efm_sha256_end(&inference->hash, inference->end.digest);
    }
}

/* As many records at a time as fit where RUN_END does. */
static void tell_maps(efm_inference *inference)
{
    enum { EACH = (EFM_RUN_END_BYTES - EFM_MAPS_HEAD_BYTES) / EFM_MAP_RECORD_BYTES };
    uint32_t count = inference->maps != NULL ? inference->map_count : 0;
    for (uint32_t first = 0; first < count; first += EACH) {
        uint8_t *at = payload_of(inference);
        efm_event_maps(at, inference->end.run, first, count);
        at += EFM_MAPS_HEAD_BYTES;
        for (uint32_t i = first; i < count && i < first + EACH; i++, at += EFM_MAP_RECORD_BYTES) {
            efm_map_record(at, &inference->maps[i]);
        }
        send_event(inference, (uint32_t)(at - payload_of(inference)));
    }
}

/* -- weights ---------------------------------------------------------------------------------------- */

/* Those that a package has behind a port are read from the store; the runtime knows no other way to them. */
static int32_t begin_weights(void *context, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    efm_inference *inference = context;
    if (inference->fetching || address > inference->weight_bytes || bytes > inference->weight_bytes - address) {
        return -1;
    }
    memcpy(to, inference->weights + address, bytes);
    inference->fetching = true;
    *ticket = 0;
    return 0;
}

static int32_t wait_weights(void *context, uint32_t ticket)
{
    efm_inference *inference = context;
    bool there = inference->fetching && ticket == 0;
    inference->fetching = false;
    return there ? 0 : -1;
}

static void place_weights(efm_inference *inference, const efm_store_entry *package)
{
    inference->weight_bytes = efm_model_weight_bytes(&inference->model);
    inference->weights = package->at + efm_model_weight_offset(&inference->model);
    inference->fetching = false;
}

/* -- a run ---------------------------------------------------------------------------------------- */

static int run_once(efm_inference *inference)
{
    const efm_board *board = inference->host.board;
    efm_run_end *end = &inference->end;
    bool told = inference->host.link->session; /* else a benchmark of thousands of runs, which painting would slow */
    efm_host host = {.context = inference,
                     .input = on_input,
                     .output = on_output,
                     .event = on_stage,
                     .poll = on_poll,
                     .repeats = 1, /* the host sends rows in the order in which they are asked for */
                     .port = board->external,
                     .weights = {begin_weights, NULL, wait_weights, inference}};
    *end = (efm_run_end){.run = end->run + 1};
    inference->output_at = 0;
    inference->in_order = true;
    place_results(inference);
    host.maps = inference->maps;
    efm_sha256_start(&inference->hash);
    if (told) {
        efm_arena_paint(board);
    }
    efm_watch_start(&inference->watch, board);
    efm_event_run_begin(payload_of(inference), end->run, inference->watch.began, efm_model_stages(&inference->model),
                        inference->package);
    send_event(inference, EFM_RUN_BEGIN_BYTES);
    efm_watch_resume(&inference->watch);
    end->status =
        efm_run(&inference->model, &host, board->arena, efm_model_arena_bytes(&inference->model), &end->counters);
    efm_watch_pause(&inference->watch);
    end->ticks = efm_watch_now(&inference->watch) - inference->watch.began;
    end->high_water = told ? efm_arena_high_water(board) : 0;
    if (end->status == EFM_OK) {
        hash_outputs(inference);
        tell_maps(inference);
    } else {
        inference->kept = false;
    }
    efm_event_run_end(payload_of(inference), end);
    send_event(inference, EFM_RUN_END_BYTES);
    return end->status;
}

static int refuse(efm_reason *reason, int status, const char *what, uint64_t need, uint64_t have)
{
    *reason = (efm_reason){what, need, have};
    return status;
}

static int check_memory(const efm_inference *inference, efm_reason *reason)
{
    const efm_board *board = inference->host.board;
    uint32_t fast = efm_model_arena_bytes(&inference->model);
    uint32_t external = efm_model_external_bytes(&inference->model);
    uint32_t there = board->external.begin_read != NULL ? board->external_bytes : 0;
    if (fast > board->arena_bytes) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes of fast memory", fast, board->arena_bytes);
    }
    if (external > there) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes of external memory", external, there);
    }
    uint32_t alignment = efm_model_alignment(&inference->model);
    if (external != 0 && alignment % board->external_alignment != 0) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes as alignment of external memory", alignment,
                      board->external_alignment);
    }
    return EFM_OK;
}

static int check_input(const efm_inference *inference, const efm_store_entry *input, uint32_t times, efm_reason *reason)
{
    const efm_link_transfer *transfer = &inference->host.link->transfer;
    uint64_t need = efm_model_input_bytes(&inference->model);
    if (input != NULL) {
        return input->bytes == need ? EFM_OK : refuse(reason, EFM_LINK_REFUSED, "bytes of input", need, input->bytes);
    }
    if (transfer->id == 0 || !transfer->pulled) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes of input", times * need, 0);
    }
    if (transfer->total - transfer->start != times * need) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes of input", times * need, transfer->total - transfer->start);
    }
    return EFM_OK;
}

static int check_telling(const efm_inference *inference, efm_reason *reason)
{
    uint32_t need = EFM_STAGE_EVENT_BYTES + EFM_LINK_FRAME_EXTRA, there = inference->host.link->frame_bytes;
    if (inference->tell_stages && !inference->host.timer_works) {
        return refuse(reason, EFM_LINK_REFUSED, "ticks of a timer that advances", 1, 0);
    }
    if (inference->tell_stages && there < need) {
        return refuse(reason, EFM_LINK_REFUSED, "bytes of frame for stage events", need, there);
    }
    return EFM_OK;
}

/* Whether the package is the one that ran last. */
static bool is_last(const efm_inference *inference, const efm_store_entry *package)
{
    const efm_store_entry *last = &inference->hashed;
    return last->at == package->at && last->bytes == package->bytes && last->crc == package->crc;
}

/* Lets the board lay out weights. A CRC alone may be forged, and what was laid out is believed. */
static void prepare(efm_inference *inference, const efm_store_entry *package)
{
    const efm_board *board = inference->host.board;
    if (board->prepare != NULL) {
        board->prepare(board->context, &inference->model, inference->unchanged && is_last(inference, package));
        inference->unchanged = true;
    }
}

/* SHA-256 of the package, unless it is the last one's; the line is served meanwhile. */
static void hash_package(efm_inference *inference, const efm_store_entry *package)
{
    uint8_t digest[EFM_SHA256_BYTES];
    if (is_last(inference, package)) {
        return;
    }
    efm_sha256_start(&inference->hash);
    for (uint32_t at = 0; at < package->bytes; at += HASH_PIECE) {
        uint32_t rest = package->bytes - at;
        efm_sha256_add(&inference->hash, package->at + at, rest < HASH_PIECE ? rest : HASH_PIECE);
        (void)inference->host.listen(inference->host.context, false);
    }
    efm_sha256_end(&inference->hash, digest);
    memcpy(inference->package, digest, sizeof inference->package);
    inference->hashed = *package;
}

void efm_inference_init(efm_inference *inference, const efm_inference_host *host)
{
    memset(inference, 0, sizeof *inference);
    inference->host = *host;
}

static int open_package(efm_inference *inference, const uint8_t *at, uint32_t bytes, efm_reason *reason)
{
    const efm_board *board = inference->host.board;
    int status = efm_model_open(&inference->model, at, bytes, board->arena, board->arena_bytes);
    *reason = (efm_reason){0};
    return status == EFM_OK ? check_memory(inference, reason) : status;
}

/* Bytes of a package that the runtime gets to see. */
static uint32_t front_of(const efm_store_entry *package)
{
    uint32_t front = package->bytes < EFM_START_BYTES ? package->bytes : efm_package_front_bytes(package->at);
    return front < package->bytes ? front : package->bytes;
}

int efm_inference_accept(void *context, const uint8_t *at, uint32_t bytes)
{
    efm_inference *inference = context;
    efm_reason reason;
    inference->unchanged = false;
    int status = open_package(inference, at, bytes, &reason);
    if (status == EFM_BAD_MAGIC) { /* a file that is not a package */
        return EFM_OK;
    }
    if (status == EFM_LINK_REFUSED) { /* memory; REFUSED of a write has a meaning of its own */
        return EFM_BAD_ARGUMENT;
    }
    if (status == EFM_OK) {
        (void)inference->host.listen(inference->host.context, false); /* checksums of megabytes take a while */
        status = efm_model_verify(&inference->model);
    }
    return status;
}

int efm_inference_run(efm_inference *inference, const efm_store_entry *package, const efm_store_entry *input,
                      uint32_t flags, uint32_t times, efm_reason *reason)
{
    inference->kept = false;
    inference->tell_stages = (flags & EFM_RUN_TELL_STAGES) != 0;
    inference->tell_maps = false; /* until there is a run to tell of */
    int status = open_package(inference, package->at, front_of(package), reason);
    if (status == EFM_OK) {
        status = check_input(inference, input, times, reason);
    }
    if (status == EFM_OK) {
        status = check_telling(inference, reason);
    }
    if (status != EFM_OK) {
        return status;
    }
    prepare(inference, package);
    place_weights(inference, package);
    hash_package(inference, package);
    inference->pulled_crc = 0;
    inference->tell_maps = (flags & EFM_RUN_TELL_MAPS) != 0;
    for (; status == EFM_OK && times > 0; times--) {
        inference->stored = input != NULL ? input->at : NULL;
        status = run_once(inference);
    }
    return status;
}

int efm_inference_output(const efm_inference *inference, uint32_t number, const uint8_t **at, uint32_t *bytes)
{
    if (inference->end.run == 0 || inference->end.status != EFM_OK || number >= inference->outputs) {
        return EFM_LINK_NOT_FOUND;
    }
    if (!inference->kept) {
        return EFM_LINK_REFUSED;
    }
    *at = inference->host.board->results + output_start(inference, number);
    *bytes = inference->output_end[number] - output_start(inference, number);
    return EFM_OK;
}

int efm_inference_maps(const efm_inference *inference, uint32_t *count)
{
    if (inference->end.run == 0 || inference->end.status != EFM_OK || !inference->tell_maps) {
        return EFM_LINK_NOT_FOUND;
    }
    *count = inference->map_count;
    return inference->maps != NULL || *count == 0 ? EFM_OK : EFM_LINK_REFUSED;
}
