/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <stddef.h>
#include <string.h>

#include "edgefm_bytes.h"

enum { HELLO_ARGS = 8, HELLO_REPLY = 14, ACK_BYTES = 13, SMALL_FRAME = 24 };

/* -- bulk data ---------------------------------------------------------------------------------- */

static uint32_t chunk_count(const efm_link_transfer *transfer)
{
    uint32_t bytes = transfer->total - transfer->start;
    return bytes / transfer->chunk + (bytes % transfer->chunk != 0);
}

static uint32_t chunk_offset(const efm_link_transfer *transfer, uint32_t number)
{
    return transfer->start + number * transfer->chunk;
}

/* Bytes of a chunk below chunk_count(): only the last may be short. */
static uint32_t chunk_bytes(const efm_link_transfer *transfer, uint32_t number)
{
    uint32_t rest = transfer->total - chunk_offset(transfer, number);
    return rest < transfer->chunk ? rest : transfer->chunk;
}

static void take(efm_link *link, const uint8_t *bytes)
{
    efm_link_transfer *transfer = &link->transfer;
    uint32_t offset = chunk_offset(transfer, transfer->next);
    transfer->status = link->config.take(link->config.context, offset, bytes, chunk_bytes(transfer, transfer->next));
    if (transfer->status == EFM_OK) {
        transfer->next++;
        transfer->have >>= 1;
    }
}

static uint8_t *slot(const efm_link *link, uint32_t number)
{
    const efm_link_transfer *transfer = &link->transfer;
    return link->config.window + number % transfer->slots * transfer->chunk;
}

static void accept_chunk(efm_link *link, uint32_t number, const uint8_t *bytes, uint32_t count)
{
    efm_link_transfer *transfer = &link->transfer;
    if (transfer->status != EFM_OK || number < transfer->next || number >= chunk_count(transfer)
        || number - transfer->next >= transfer->slots || count != chunk_bytes(transfer, number)) {
        return;
    }
    if (number != transfer->next || transfer->pulled) {
        memcpy(slot(link, number), bytes, count);
        transfer->have |= (uint32_t)1 << (number - transfer->next);
        return;
    }
    take(link, bytes);
    while (transfer->status == EFM_OK && (transfer->have & 1u) != 0) {
        take(link, slot(link, transfer->next));
    }
}

static void send_ack(const efm_link *link, int status, uint32_t number)
{
    uint8_t frame[SMALL_FRAME];
    uint8_t *payload = frame + EFM_LINK_HEAD_BYTES;
    payload[0] = (uint8_t)status;
    efm_store_le32(payload + 1, number);
    efm_store_le32(payload + 5, link->transfer.next);
    efm_store_le32(payload + 9, link->transfer.have);
    efm_link_send(&link->config, EFM_LINK_ACK, link->transfer.id, frame, ACK_BYTES);
}

uint32_t efm_link_pull(efm_link *link, uint8_t *bytes, uint32_t count)
{
    efm_link_transfer *transfer = &link->transfer;
    uint32_t done = 0;
    while (done < count && transfer->id != 0 && transfer->pulled && (transfer->have & 1u) != 0) {
        uint32_t rest = chunk_bytes(transfer, transfer->next) - transfer->used;
        uint32_t part = rest < count - done ? rest : count - done;
        memcpy(bytes + done, slot(link, transfer->next) + transfer->used, part);
        done += part;
        transfer->used += part;
        if (part < rest) {
            break;
        }
        transfer->used = 0;
        transfer->next++;
        transfer->have >>= 1;
        send_ack(link, EFM_OK, transfer->next - 1);
    }
    return done;
}

/* To a chunk or a wish of a transfer that is not open. */
static void send_closed(const efm_link *link, uint8_t id)
{
    uint8_t frame[SMALL_FRAME];
    memset(frame, 0, sizeof frame);
    frame[EFM_LINK_HEAD_BYTES] = (uint8_t)(link->session ? EFM_LINK_NO_TRANSFER : EFM_LINK_NO_SESSION);
    efm_link_send(&link->config, EFM_LINK_ACK, id, frame, ACK_BYTES);
}

static bool is_open(const efm_link *link, uint8_t id, bool writing)
{
    return link->session && id != 0 && id == link->transfer.id && link->transfer.writing == writing;
}

static void on_chunk(efm_link *link, const efm_link_frame *frame)
{
    if (frame->bytes < EFM_LINK_CHUNK_HEAD) {
        return;
    }
    if (!is_open(link, frame->sequence, true)) {
        send_closed(link, frame->sequence);
        return;
    }
    uint32_t number = efm_load_le32(frame->payload);
    accept_chunk(link, number, frame->payload + EFM_LINK_CHUNK_HEAD, frame->bytes - EFM_LINK_CHUNK_HEAD);
    send_ack(link, link->transfer.status, number);
}

static void send_chunk(efm_link *link, uint32_t number)
{
    efm_link_transfer *transfer = &link->transfer;
    uint8_t *payload = link->config.transmit + EFM_LINK_HEAD_BYTES;
    uint32_t bytes = chunk_bytes(transfer, number);
    link->reply_bytes = 0; /* its buffer is used; a caller that wants chunks has the reply */
    efm_store_le32(payload, number);
    transfer->status =
        link->config.give(link->config.context, chunk_offset(transfer, number), payload + EFM_LINK_CHUNK_HEAD, bytes);
    if (transfer->status == EFM_OK) {
        efm_link_send(&link->config, EFM_LINK_CHUNK, transfer->id, link->config.transmit, EFM_LINK_CHUNK_HEAD + bytes);
    }
}

static void on_want(efm_link *link, const efm_link_frame *frame)
{
    const efm_link_transfer *transfer = &link->transfer;
    if (frame->bytes != 8) {
        return;
    }
    if (!is_open(link, frame->sequence, false)) {
        send_closed(link, frame->sequence);
        return;
    }
    uint32_t first = efm_load_le32(frame->payload), mask = efm_load_le32(frame->payload + 4);
    uint32_t count = chunk_count(transfer);
    for (uint32_t i = 0; i < EFM_LINK_WINDOW_MAX && first < count && i < count - first; i++) {
        if (transfer->status == EFM_OK && (mask >> i & 1u) != 0) {
            send_chunk(link, first + i);
        }
    }
    if (transfer->status != EFM_OK) {
        send_ack(link, transfer->status, first);
    }
}

/* -- requests ----------------------------------------------------------------------------------- */

/* Arguments of a request, and where its reply's data goes. */
typedef struct request {
    uint8_t command;
    const uint8_t *args;
    uint32_t args_bytes;
    uint8_t *reply;
    uint32_t room;
    uint32_t reply_bytes;
} request;

static void send_status(const efm_link *link, uint8_t sequence, int status)
{
    uint8_t frame[SMALL_FRAME];
    frame[EFM_LINK_HEAD_BYTES] = (uint8_t)status;
    efm_link_send(&link->config, EFM_LINK_REPLY, sequence, frame, 1);
}

static void send_reply(const efm_link *link)
{
    efm_link_send(&link->config, EFM_LINK_REPLY, link->sequence, link->config.transmit, link->reply_bytes);
}

static int drop_transfer(efm_link *link, bool commit)
{
    bool open = link->transfer.id != 0;
    link->transfer.id = 0;
    return open ? link->config.close(link->config.context, commit) : EFM_OK;
}

static void on_hello(efm_link *link, const efm_link_frame *frame)
{
    const uint8_t *args = frame->payload + 1;
    uint8_t *reply = link->config.transmit + EFM_LINK_HEAD_BYTES;
    if (frame->bytes != 1 + HELLO_ARGS || efm_load_le16(args + 6) < EFM_LINK_FRAME_MIN) {
        send_status(link, frame->sequence, EFM_LINK_BAD_REQUEST);
        return;
    }
    bool known = args[0] == EFM_LINK_MAJOR;
    uint32_t wanted = efm_load_le16(args + 6);
    (void)drop_transfer(link, false);
    link->session = known;
    link->sequence = frame->sequence;
    link->event = 0;
    link->frame_bytes = wanted < link->config.frame_bytes ? wanted : link->config.frame_bytes;
    reply[0] = known ? EFM_OK : (uint8_t)EFM_LINK_BAD_PROTOCOL;
    reply[1] = EFM_LINK_MAJOR;
    reply[2] = EFM_LINK_MINOR;
    memcpy(reply + 3, args + 2, 4);
    efm_store_le16(reply + 7, (uint16_t)link->frame_bytes);
    efm_store_le32(reply + 9, link->config.window_bytes);
    reply[13] = EFM_LINK_WINDOW_MAX;
    link->reply_bytes = HELLO_REPLY;
    send_reply(link);
}

static int read_info(const efm_link *link, request *call)
{
    if (call->args_bytes != 2) {
        return EFM_LINK_BAD_REQUEST;
    }
    uint32_t offset = efm_load_le16(call->args), total = link->config.info_bytes;
    if (offset > total) {
        return EFM_LINK_BAD_REQUEST;
    }
    uint32_t count = total - offset < call->room - 2 ? total - offset : call->room - 2;
    efm_store_le16(call->reply, (uint16_t)total);
    memcpy(call->reply + 2, link->config.info + offset, count);
    call->reply_bytes = 2 + count;
    return EFM_OK;
}

static int echo(request *call)
{
    if (call->args_bytes > call->room) {
        return EFM_LINK_BAD_REQUEST;
    }
    memcpy(call->reply, call->args, call->args_bytes);
    call->reply_bytes = call->args_bytes;
    return EFM_OK;
}

static int start_transfer(efm_link *link, efm_link_bulk *bulk, uint32_t chunk)
{
    efm_link_transfer *transfer = &link->transfer;
    if (chunk == 0 || chunk > link->frame_bytes - EFM_LINK_FRAME_EXTRA - EFM_LINK_CHUNK_HEAD) {
        return EFM_LINK_BAD_REQUEST;
    }
    (void)drop_transfer(link, false);
    int status = link->config.open(link->config.context, bulk);
    if (status != EFM_OK) {
        return status;
    }
    if (bulk->start > bulk->total || (bulk->pulled && chunk > link->config.window_bytes)) {
        (void)link->config.close(link->config.context, false);
        return EFM_LINK_BAD_REQUEST;
    }
    memset(transfer, 0, sizeof *transfer);
    link->transfers = link->transfers == UINT8_MAX ? 1 : (uint8_t)(link->transfers + 1);
    transfer->id = link->transfers;
    transfer->writing = bulk->writing;
    transfer->pulled = bulk->pulled;
    transfer->total = bulk->total;
    transfer->start = bulk->start;
    transfer->chunk = chunk;
    transfer->slots = link->config.window_bytes / chunk;
    if (transfer->slots > EFM_LINK_WINDOW_MAX) {
        transfer->slots = EFM_LINK_WINDOW_MAX;
    }
    if (transfer->slots == 0) {
        transfer->slots = 1; /* the next chunk needs no slot */
    }
    return EFM_OK;
}

static int open_write(efm_link *link, request *call)
{
    if (call->args_bytes < 11) {
        return EFM_LINK_BAD_REQUEST;
    }
    efm_link_bulk bulk = {.name = call->args + 10,
                          .name_bytes = call->args_bytes - 10,
                          .writing = true,
                          .total = efm_load_le32(call->args),
                          .crc = efm_load_le32(call->args + 4)};
    int status = start_transfer(link, &bulk, efm_load_le16(call->args + 8));
    if (status != EFM_OK) {
        return status;
    }
    call->reply[0] = link->transfer.id;
    call->reply[1] = (uint8_t)link->transfer.slots;
    efm_store_le32(call->reply + 2, bulk.start);
    call->reply_bytes = 6;
    return EFM_OK;
}

static int open_read(efm_link *link, request *call)
{
    if (call->args_bytes < 7) {
        return EFM_LINK_BAD_REQUEST;
    }
    efm_link_bulk bulk = {
        .name = call->args + 6, .name_bytes = call->args_bytes - 6, .start = efm_load_le32(call->args)};
    int status = start_transfer(link, &bulk, efm_load_le16(call->args + 4));
    if (status != EFM_OK) {
        return status;
    }
    call->reply[0] = link->transfer.id;
    efm_store_le32(call->reply + 1, bulk.total);
    efm_store_le32(call->reply + 5, bulk.crc);
    call->reply_bytes = 9;
    return EFM_OK;
}

static int close_transfer(efm_link *link, const request *call)
{
    const efm_link_transfer *transfer = &link->transfer;
    if (call->args_bytes != 2 || call->args[1] > 1) {
        return EFM_LINK_BAD_REQUEST;
    }
    if (transfer->id == 0 || call->args[0] != transfer->id) {
        return EFM_LINK_NO_TRANSFER;
    }
    bool commit = call->args[1] == 1;
    if (commit && transfer->status != EFM_OK) {
        return transfer->status;
    }
    if (commit && transfer->writing && transfer->next != chunk_count(transfer)) {
        return EFM_LINK_INCOMPLETE;
    }
    return drop_transfer(link, commit);
}

static int carry_out(efm_link *link, request *call)
{
    const efm_link_config *config = &link->config;
    switch (call->command) {
    case EFM_LINK_INFO:
        return read_info(link, call);
    case EFM_LINK_ECHO:
        return echo(call);
    case EFM_LINK_OPEN_WRITE:
        return open_write(link, call);
    case EFM_LINK_OPEN_READ:
        return open_read(link, call);
    case EFM_LINK_CLOSE:
        return close_transfer(link, call);
    default:
        break;
    }
    if (call->command < EFM_LINK_FIRST_COMMAND) {
        return EFM_LINK_BAD_REQUEST;
    }
    return config->command(config->context, call->command, call->args, call->args_bytes, call->reply, call->room,
                           &call->reply_bytes);
}

static void on_command(efm_link *link, const efm_link_frame *frame)
{
    uint8_t *reply = link->config.transmit + EFM_LINK_HEAD_BYTES;
    request call = {.command = frame->payload[0],
                    .args = frame->payload + 1,
                    .args_bytes = frame->bytes - 1,
                    .reply = reply + 1,
                    .room = link->frame_bytes - EFM_LINK_FRAME_EXTRA - 1};
    link->sequence = frame->sequence;
    link->reply_bytes = 0;
    link->busy = true;
    link->stop = false;
    reply[0] = (uint8_t)carry_out(link, &call);
    link->busy = false;
    link->reply_bytes = 1 + call.reply_bytes;
    send_reply(link);
}

static void on_request(efm_link *link, const efm_link_frame *frame)
{
    if (frame->bytes == 0) {
        return;
    }
    if (link->busy) {
        link->stop = link->stop || frame->payload[0] == EFM_LINK_HELLO;
        send_status(link, frame->sequence, EFM_LINK_PENDING);
    } else if (frame->payload[0] == EFM_LINK_HELLO) {
        on_hello(link, frame);
    } else if (!link->session) {
        send_status(link, frame->sequence, EFM_LINK_NO_SESSION);
    } else if (frame->sequence == link->sequence && link->reply_bytes != 0) {
        send_reply(link);
    } else if (frame->sequence == (uint8_t)(link->sequence + 1)) {
        on_command(link, frame);
    } else {
        send_status(link, frame->sequence, EFM_LINK_BAD_SEQUENCE);
    }
}

/* -- the link ----------------------------------------------------------------------------------- */

efm_status efm_link_init(efm_link *link, const efm_link_config *config)
{
    if (config->receive == NULL || config->transmit == NULL || config->frame_bytes < EFM_LINK_FRAME_MIN
        || config->frame_bytes > EFM_LINK_FRAME_MAX || (config->window == NULL && config->window_bytes != 0)
        || config->info == NULL || config->info_bytes < EFM_LINK_INFO_MIN || config->info_bytes > UINT16_MAX) {
        return EFM_BAD_ARGUMENT;
    }
    memset(link, 0, sizeof *link);
    link->config = *config;
    efm_link_receiver_init(&link->receiver, config->receive, config->frame_bytes);
    return EFM_OK;
}

void efm_link_feed(efm_link *link, uint8_t byte)
{
    efm_link_frame frame = {0};
    if (!efm_link_receive(&link->receiver, byte, &frame)) {
        return;
    }
    if (frame.type == EFM_LINK_REQUEST) {
        on_request(link, &frame);
    } else if (frame.type == EFM_LINK_CHUNK && (!link->busy || link->transfer.pulled)) {
        on_chunk(link, &frame);
    } else if (frame.type == EFM_LINK_WANT && !link->busy) {
        on_want(link, &frame);
    }
}

void efm_link_send_event(efm_link *link, uint8_t *frame, uint32_t payload_bytes)
{
    if (link->session) {
        efm_link_send(&link->config, EFM_LINK_EVENT, link->event++, frame, payload_bytes);
    }
}
