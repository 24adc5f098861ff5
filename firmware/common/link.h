/* SPDX-License-Identifier: Apache-2.0 */
/* The device's end of the serial link; docs/PROTOCOL.md is the contract.
 *
 *     static uint8_t receive[512], transmit[512], window[2048];
 *     efm_link_config config = {
 *         .receive = receive, .transmit = transmit, .frame_bytes = sizeof receive,
 *         .window = window, .window_bytes = sizeof window,
 *         .info = info, .info_bytes = sizeof info,
 *         .context = &board, .write = uart_write, .command = on_command,
 *         .open = on_open, .take = on_take, .give = on_give, .close = on_close,
 *     };
 *     efm_link link;
 *     if (efm_link_init(&link, &config) == EFM_OK)
 *         for (;;)
 *             efm_link_feed(&link, uart_read());
 *
 * Everything happens inside efm_link_feed(): the device only ever answers, so it needs no clock.
 */
#ifndef EFM_LINK_H
#define EFM_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "edgefm_status.h"

enum { EFM_LINK_MAJOR = 1, EFM_LINK_MINOR = 5 };

/* A frame's bytes before stuffing: head, payload, CRC-32. */
enum {
    EFM_LINK_HEAD_BYTES = 4,
    EFM_LINK_CRC_BYTES = 4,
    EFM_LINK_FRAME_EXTRA = 8,
    EFM_LINK_FRAME_MIN = 32,
    EFM_LINK_FRAME_MAX = 4096,
    EFM_LINK_CHUNK_HEAD = 4,
    EFM_LINK_WINDOW_MAX = 32,
    EFM_LINK_INFO_MIN = 64
};

typedef enum efm_link_type {
    EFM_LINK_REQUEST = 1,
    EFM_LINK_REPLY = 2,
    EFM_LINK_EVENT = 3,
    EFM_LINK_CHUNK = 4,
    EFM_LINK_ACK = 5,
    EFM_LINK_WANT = 6
} efm_link_type;

/* Commands the link carries out itself; those from EFM_LINK_FIRST_COMMAND on are the firmware's. */
enum {
    EFM_LINK_HELLO = 1,
    EFM_LINK_INFO = 2,
    EFM_LINK_ECHO = 3,
    EFM_LINK_OPEN_WRITE = 4,
    EFM_LINK_OPEN_READ = 5,
    EFM_LINK_CLOSE = 6,
    EFM_LINK_FIRST_COMMAND = 16
};

/* Status of a reply: an efm_status, or one of these. Only PENDING is positive: ask again. */
enum {
    EFM_LINK_PENDING = 1,
    EFM_LINK_NO_SESSION = -32,    /* no HELLO since the device started */
    EFM_LINK_BAD_PROTOCOL = -33,   /* HELLO with another major version */
    EFM_LINK_BAD_REQUEST = -34,   /* unknown command, or arguments of another size */
    EFM_LINK_BAD_SEQUENCE = -35,  /* neither the last request again nor the next one */
    EFM_LINK_NO_TRANSFER = -36,   /* no such transfer is open */
    EFM_LINK_INCOMPLETE = -37,    /* commit before every chunk was there */
    EFM_LINK_NOT_FOUND = -38,
    EFM_LINK_NO_SPACE = -39,
    EFM_LINK_REFUSED = -40,       /* sound, but not for this device or not now */
    EFM_LINK_TOO_MANY = -41       /* the store holds as many files as it may */
};

/* A frame that arrived whole; payload lies in the receive buffer until the next byte is fed. */
typedef struct efm_link_frame {
    uint8_t type;
    uint8_t sequence;
    uint32_t bytes; /* of the payload */
    const uint8_t *payload;
} efm_link_frame;

/* Undoes stuffing byte by byte; safe for any input. */
typedef struct efm_link_receiver {
    uint8_t *buffer;
    uint32_t capacity;
    uint32_t bytes;    /* unstuffed so far */
    uint32_t damaged;  /* frames dropped since the start */
    uint8_t left;      /* bytes until the next code byte */
    bool zero;         /* the code byte before stands for a zero after its bytes */
    bool skip;         /* too long: wait for the next delimiter */
} efm_link_receiver;

void efm_link_receiver_init(efm_link_receiver *receiver, uint8_t *buffer, uint32_t capacity);

/* Takes one byte from the line; true when `frame` was filled. */
bool efm_link_receive(efm_link_receiver *receiver, uint8_t byte, efm_link_frame *frame);

/* A bulk transfer being opened; `name` is valid during the call only. */
typedef struct efm_link_bulk {
    const uint8_t *name;
    uint32_t name_bytes;
    bool writing;    /* host to device */
    uint32_t total;  /* bytes of the whole; open() sets it when reading */
    uint32_t crc;    /* CRC-32 of the whole; open() sets it when reading */
    uint32_t start;  /* first byte of this transfer; open() sets it when writing (0: from the front) */
    bool pulled;     /* open() sets it: what is written waits in the window for efm_link_pull() */
} efm_link_bulk;

/* Memory and callbacks from the firmware. Callbacks return an efm_status or an EFM_LINK_ status. */
typedef struct efm_link_config {
    uint8_t *receive, *transmit;  /* frame_bytes each */
    uint32_t frame_bytes;         /* EFM_LINK_FRAME_MIN..EFM_LINK_FRAME_MAX */
    uint8_t *window;              /* holds chunks that came before a lost one */
    uint32_t window_bytes;
    const uint8_t *info;          /* the capability record of docs/PROTOCOL.md */
    uint32_t info_bytes;
    void *context;
    /* Sends bytes; returns when they are on their way. */
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    /* A firmware command. `args` are valid until bytes are fed. Sets *reply_bytes <= room. */
    int (*command)(void *context, uint8_t command, const uint8_t *args, uint32_t args_bytes, uint8_t *reply,
                   uint32_t room, uint32_t *reply_bytes);
    int (*open)(void *context, efm_link_bulk *bulk);
    /* The next bytes of a write, in order, none twice. */
    int (*take)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t count);
    /* Any bytes of a read, as often as asked. */
    int (*give)(void *context, uint32_t offset, uint8_t *bytes, uint32_t count);
    /* Ends a transfer: commit, or keep what is there for a later open() to go on from. */
    int (*close)(void *context, bool commit);
} efm_link_config;

typedef struct efm_link_transfer {
    uint8_t id;       /* 0: none open */
    bool writing;
    bool pulled;
    int status;       /* EFM_OK until take() or give() fails; then it stays */
    uint32_t total, start, chunk; /* bytes */
    uint32_t next;    /* first chunk not taken yet */
    uint32_t have;    /* bit i: chunk next + i waits in its slot */
    uint32_t slots;   /* chunks the window holds */
    uint32_t used;    /* bytes of chunk `next` that were pulled */
} efm_link_transfer;

typedef struct efm_link {
    efm_link_config config;
    efm_link_receiver receiver;
    efm_link_transfer transfer;
    uint32_t frame_bytes;  /* agreed in HELLO */
    uint32_t reply_bytes;  /* of the kept reply's payload, 0 when there is none */
    uint8_t sequence;      /* of the last request carried out */
    uint8_t event;         /* sequence number of the next event */
    uint8_t transfers;     /* number of the last transfer */
    bool session;
    bool busy;             /* a command is being carried out */
    bool stop;             /* a HELLO came meanwhile: it should end soon */
} efm_link;

/* EFM_BAD_ARGUMENT when a buffer is missing or too small, or the record too short. */
EFM_MUST_CHECK efm_status efm_link_init(efm_link *link, const efm_link_config *config);

/* Takes one byte from the line and answers what it completes. A command that takes long may feed
   bytes from within: the host is told that the device is still working. */
void efm_link_feed(efm_link *link, uint8_t byte);

/* Copies what has come of an open write that is pulled, up to `count` bytes; returns how many. */
uint32_t efm_link_pull(efm_link *link, uint8_t *bytes, uint32_t count);

/* Sends an event. `frame` lends room for the payload, which lies EFM_LINK_HEAD_BYTES into it, and
   EFM_LINK_CRC_BYTES after it; the whole is at most the agreed frame. Nothing without a session. */
void efm_link_send_event(efm_link *link, uint8_t *frame, uint32_t payload_bytes);

/* Puts head and CRC around a payload and sends it, as above. */
void efm_link_send(const efm_link_config *config, efm_link_type type, uint8_t sequence, uint8_t *frame,
                   uint32_t payload_bytes);

#endif
