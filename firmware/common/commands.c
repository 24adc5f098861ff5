/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <stddef.h>

#include "decimal.h"
#include "edgefm_bytes.h"
#include "proof.h"

enum { SPACE_REPLY = 16, RUN_HEAD = 4, RUN_REPLY = 4, IMPORT_HEAD = 13, IMPORT_PIECE = 4096 };
enum { TEST_ARGS = 19, TEST_REPLY = 31, EXTERNAL = 0 };

/* -- text ----------------------------------------------------------------------------------------- */

static void say(efm_request *request, const char *text)
{
    for (; *text != 0 && request->reply_bytes < request->room; text++) {
        request->reply[request->reply_bytes++] = (uint8_t)*text;
    }
}

static void say_number(efm_request *request, uint64_t number)
{
    uint8_t text[EFM_DIGITS + 1];
    uint32_t at = efm_decimal(number, 1, text);
    text[EFM_DIGITS] = 0;
    say(request, (const char *)text + at);
}

static void say_reason(efm_request *request, const efm_reason *reason)
{
    if (reason->what == NULL) {
        return;
    }
    say(request, "needs ");
    say_number(request, reason->need);
    say(request, " ");
    say(request, reason->what);
    say(request, ", there are ");
    say_number(request, reason->have);
}

/* -- requests ------------------------------------------------------------------------------------- */

static int remove_package(const efm_commands *commands, const efm_request *request)
{
    if (request->args_bytes == 0) {
        return EFM_LINK_BAD_REQUEST;
    }
    return commands->store == NULL ? EFM_LINK_NOT_FOUND
                                   : efm_store_remove(commands->store, request->args, request->args_bytes);
}

static int find(const efm_commands *commands, efm_request *request, const uint8_t *name, uint32_t bytes,
                efm_store_entry *entry)
{
    if (commands->store != NULL && efm_store_find(commands->store, name, bytes, entry)) {
        return EFM_OK;
    }
    for (uint32_t i = 0; i < bytes && request->reply_bytes < request->room; i++) {
        request->reply[request->reply_bytes++] = name[i];
    }
    return EFM_LINK_NOT_FOUND;
}

/* u8 flags, u16 times, u8 length of a package's name, the name, the input's name or nothing. */
static int run(const efm_commands *commands, efm_request *request)
{
    const uint8_t *args = request->args;
    efm_store_entry package, input;
    efm_reason reason = {0};
    if (request->args_bytes < RUN_HEAD || (args[0] & ~(EFM_RUN_TELL_STAGES | EFM_RUN_TELL_MAPS)) != 0
        || args[3] > request->args_bytes - RUN_HEAD || efm_load_le16(args + 1) == 0) {
        return EFM_LINK_BAD_REQUEST;
    }
    uint32_t flags = args[0], times = efm_load_le16(args + 1), name_bytes = args[3];
    uint32_t input_bytes = request->args_bytes - RUN_HEAD - name_bytes;
    int status = find(commands, request, args + RUN_HEAD, name_bytes, &package);
    if (status == EFM_OK && input_bytes != 0) {
        status = find(commands, request, args + RUN_HEAD + name_bytes, input_bytes, &input);
    }
    if (status != EFM_OK) {
        return status;
    }
    status = efm_inference_run(commands->inference, &package, input_bytes != 0 ? &input : NULL, flags, times, &reason);
    if (status != EFM_OK) {
        say_reason(request, &reason);
        return status;
    }
    efm_store_le32(request->reply, commands->inference->end.run);
    request->reply_bytes = RUN_REPLY;
    return EFM_OK;
}

/* Reads external memory into the arena, which no run uses now; lengths are what the port likes. */
static int read_external(const efm_board *board, uint32_t at, uint32_t bytes)
{
    uint32_t ticket, over = bytes % board->external_alignment;
    uint32_t whole = over == 0 ? bytes : bytes - over + board->external_alignment;
    const efm_port *port = &board->external;
    return port->begin_read(port->port, at, board->arena, whole, &ticket) == 0 && port->wait(port->port, ticket) == 0
               ? EFM_OK
               : EFM_PORT_FAILED;
}

/* The line is served in between: the host is told that this takes a while. The request's arguments are
   overwritten then. */
static int copy_external(const efm_commands *commands, uint32_t at, uint32_t bytes)
{
    const efm_inference_host *host = &commands->inference->host;
    uint32_t room = commands->board->arena_bytes < IMPORT_PIECE ? commands->board->arena_bytes : IMPORT_PIECE;
    int status = EFM_OK;
    while (status == EFM_OK && bytes != 0) {
        uint32_t part = bytes < room ? bytes : room;
        status = read_external(commands->board, at, part);
        if (status == EFM_OK) {
            status = efm_store_append(commands->store, commands->board->arena, part);
        }
        at += part;
        bytes -= part;
        (void)host->listen(host->context, false);
    }
    return status;
}

/* u8 replace, u32 address, u32 bytes, u32 CRC-32, name. */
static int import(const efm_commands *commands, const efm_request *request)
{
    const efm_board *board = commands->board;
    const uint8_t *args = request->args;
    if (request->args_bytes <= IMPORT_HEAD || args[0] > 1 || args[IMPORT_HEAD] == ':') {
        return EFM_LINK_BAD_REQUEST;
    }
    uint32_t at = efm_load_le32(args + 1), bytes = efm_load_le32(args + 5), there = board->external_bytes, start = 0;
    if (commands->store == NULL || board->external.begin_read == NULL) {
        return EFM_LINK_REFUSED;
    }
    if (at > there || bytes > there - at || at % board->external_alignment != 0) {
        return EFM_LINK_BAD_REQUEST;
    }
    efm_store_package package = {args + IMPORT_HEAD, request->args_bytes - IMPORT_HEAD, bytes, efm_load_le32(args + 9)};
    int status = efm_store_begin(commands->store, &package, args[0] == 1, &start);
    if (status == EFM_OK && start % board->external_alignment != 0) { /* what came over the line is useless */
        status = efm_store_abort(commands->store);
        if (status == EFM_OK) {
            status = efm_store_begin(commands->store, &package, args[0] == 1, &start);
        }
    }
    if (status == EFM_OK) {
        status = copy_external(commands, at + start, bytes - start);
    }
    return status == EFM_OK ? efm_store_commit(commands->store) : status;
}

static int measure(const efm_commands *commands, efm_request *request)
{
    efm_store_space space = {0};
    if (request->args_bytes != 0) {
        return EFM_LINK_BAD_REQUEST;
    }
    if (commands->store != NULL) {
        efm_store_measure(commands->store, &space);
    }
    efm_store_le32(request->reply, space.bytes);
    efm_store_le32(request->reply + 4, space.free);
    efm_store_le32(request->reply + 8, space.largest);
    efm_store_le32(request->reply + 12, space.erases);
    request->reply_bytes = SPACE_REPLY;
    return EFM_OK;
}

/* -- tests of memory ------------------------------------------------------------------------------ */

/* Whether the host wants it to end. */
static int32_t look(void *context)
{
    const efm_inference_host *host = context;
    return !host->listen(host->context, false) || host->link->stop;
}

static void tell_report(efm_request *request, const efm_proof_report *report)
{
    uint8_t *reply = request->reply;
    efm_store_le32(reply, report->wrong);
    efm_store_le32(reply + 4, report->first);
    reply[8] = report->expected;
    reply[9] = report->got;
    reply[10] = report->bits;
    efm_store_le32(reply + 11, report->spilled);
    for (uint32_t i = 0; i < 4; i++) {
        efm_store_le32(reply + 15 + 4 * i, (uint32_t)(report->ticks[i / 2] >> 32 * (i % 2)));
    }
    request->reply_bytes = TEST_REPLY;
}

static bool is_sound(const efm_proof_order *order, uint32_t there, uint32_t alignment)
{
    return order->flags >= EFM_PROOF_WRITE && order->flags <= (EFM_PROOF_WRITE | EFM_PROOF_READ)
           && order->pattern < EFM_PROOF_PATTERNS && order->overlap >= 1 && order->overlap <= EFM_PROOF_OVERLAP_MAX
           && order->lead <= EFM_PROOF_LEAD_MAX && order->piece != 0 && order->bytes != 0 && order->address <= there
           && order->bytes <= there - order->address && order->piece % alignment == 0 && order->address % alignment == 0
           && order->bytes % alignment == 0;
}

/* u8 memory, u8 flags, u8 pattern, u8 overlap, u8 lead, u16 piece, u32 address, u32 bytes, u32 seed. */
static int test(const efm_commands *commands, efm_request *request)
{
    const efm_board *board = commands->board;
    const uint8_t *args = request->args;
    efm_proof_report report;
    if (request->args_bytes != TEST_ARGS || args[0] != EXTERNAL || request->room < TEST_REPLY) {
        return EFM_LINK_BAD_REQUEST;
    }
    if (board->external.begin_read == NULL) {
        return EFM_LINK_REFUSED;
    }
    efm_proof_order order = {args[1],
                             args[2],
                             args[3],
                             args[4],
                             efm_load_le16(args + 5),
                             efm_load_le32(args + 7),
                             efm_load_le32(args + 11),
                             efm_load_le32(args + 15)};
    if (!is_sound(&order, board->external_bytes, board->external_alignment)) {
        return EFM_LINK_BAD_REQUEST;
    }
    int status = efm_proof_run(board, &board->external, &order, look, &commands->inference->host, &report);
    if (status == EFM_OK) {
        tell_report(request, &report);
    }
    return status;
}

int efm_commands_do(efm_commands *commands, efm_request *request)
{
    request->reply_bytes = 0;
    switch (request->command) {
    case EFM_COMMAND_REMOVE:
        return remove_package(commands, request);
    case EFM_COMMAND_RUN:
        return run(commands, request);
    case EFM_COMMAND_IMPORT:
        return import(commands, request);
    case EFM_COMMAND_SPACE:
        return measure(commands, request);
    case EFM_COMMAND_TEST:
        return EFM_WITH_MEMORY_TEST ? test(commands, request) : EFM_LINK_BAD_REQUEST;
    case EFM_COMMAND_RESET:
        commands->reset = request->args_bytes == 0;
        return commands->reset ? EFM_OK : EFM_LINK_BAD_REQUEST;
    default:
        return EFM_LINK_BAD_REQUEST;
    }
}
