/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the link: bytes that are either right or dropped. */
#include "link.h"

#include <string.h>

#include "edgefm_bytes.h"

enum { MAX_RUN = 254 };

void efm_link_receiver_init(efm_link_receiver *receiver, uint8_t *buffer, uint32_t capacity)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->buffer = buffer;
    receiver->capacity = capacity;
}

static void append(efm_link_receiver *receiver, uint8_t byte)
{
    if (receiver->bytes < receiver->capacity) {
        receiver->buffer[receiver->bytes++] = byte;
    } else {
        receiver->skip = true;
    }
}

static bool read_frame(const efm_link_receiver *receiver, efm_link_frame *frame)
{
    const uint8_t *at = receiver->buffer;
    uint32_t bytes = receiver->bytes;
    if (receiver->skip || receiver->left != 0 || bytes < EFM_LINK_FRAME_EXTRA
        || efm_load_le16(at + 2) != bytes - EFM_LINK_FRAME_EXTRA
        || efm_load_le32(at + bytes - EFM_LINK_CRC_BYTES) != efm_crc32(0, at, bytes - EFM_LINK_CRC_BYTES)) {
        return false;
    }
    frame->type = at[0];
    frame->sequence = at[1];
    frame->bytes = bytes - EFM_LINK_FRAME_EXTRA;
    frame->payload = at + EFM_LINK_HEAD_BYTES;
    return true;
}

static bool end_frame(efm_link_receiver *receiver, efm_link_frame *frame)
{
    bool whole = read_frame(receiver, frame);
    bool empty = receiver->bytes == 0 && receiver->left == 0 && !receiver->zero && !receiver->skip;
    receiver->damaged += !whole && !empty;
    receiver->bytes = 0;
    receiver->left = 0;
    receiver->zero = receiver->skip = false;
    return whole;
}

bool efm_link_receive(efm_link_receiver *receiver, uint8_t byte, efm_link_frame *frame)
{
    if (byte == 0) {
        return end_frame(receiver, frame);
    }
    if (receiver->left != 0) {
        receiver->left--;
        append(receiver, byte);
        return false;
    }
    if (receiver->zero) {
        append(receiver, 0);
    }
    receiver->left = (uint8_t)(byte - 1);
    receiver->zero = byte != MAX_RUN + 1;
    return false;
}

static uint32_t run_length(const uint8_t *bytes, uint32_t count)
{
    uint32_t run = 0;
    while (run < count && run < MAX_RUN && bytes[run] != 0) {
        run++;
    }
    return run;
}

static void send_stuffed(const efm_link_config *config, const uint8_t *bytes, uint32_t count)
{
    static const uint8_t delimiter = 0;
    uint32_t at = 0;
    bool more = true;
    config->write(config->context, &delimiter, 1);
    while (more) {
        uint32_t run = run_length(bytes + at, count - at);
        uint8_t code = (uint8_t)(run + 1);
        config->write(config->context, &code, 1);
        if (run != 0) {
            config->write(config->context, bytes + at, run);
        }
        at += run;
        more = at < count;
        if (more && run < MAX_RUN) {
            at++; /* the zero that the code stands for */
        }
    }
    config->write(config->context, &delimiter, 1);
}

void efm_link_send(const efm_link_config *config, efm_link_type type, uint8_t sequence, uint8_t *frame,
                   uint32_t payload_bytes)
{
    uint32_t bytes = EFM_LINK_HEAD_BYTES + payload_bytes;
    frame[0] = (uint8_t)type;
    frame[1] = sequence;
    efm_store_le16(frame + 2, (uint16_t)payload_bytes);
    efm_store_le32(frame + bytes, efm_crc32(0, frame, bytes));
    send_stuffed(config, frame, bytes + EFM_LINK_CRC_BYTES);
}
