/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include <string.h>

/* -- the line ------------------------------------------------------------------------------------- */

static void flush(efm_agent *agent)
{
    if (agent->out_end != 0) {
        agent->board->write(agent->board->context, agent->out, agent->out_end);
    }
    agent->out_end = 0;
}

/* Gathers what the link sends in small pieces; flush() passes it on. */
static void send(void *context, const uint8_t *bytes, uint32_t count)
{
    efm_agent *agent = context;
    while (count != 0) {
        uint32_t room = sizeof agent->out - agent->out_end, part = count < room ? count : room;
        memcpy(agent->out + agent->out_end, bytes, part);
        agent->out_end += part;
        bytes += part;
        count -= part;
        if (agent->out_end == sizeof agent->out) {
            flush(agent);
        }
    }
}

static void fill(efm_agent *agent, bool wait)
{
    flush(agent);
    int32_t count = agent->board->read(agent->board->context, agent->in, sizeof agent->in, wait);
    agent->gone = agent->gone || count < 0;
    agent->in_at = 0;
    agent->in_end = count > 0 ? (uint32_t)count : 0;
}

/* Takes what the line has, also from within a command that takes long. False: it is gone for good. */
static bool listen(void *context, bool wait)
{
    efm_agent *agent = context;
    if (agent->in_at == agent->in_end && !agent->gone) {
        fill(agent, wait);
    }
    while (agent->in_at != agent->in_end) {
        uint8_t byte = agent->in[agent->in_at++];
        efm_link_feed(&agent->link, byte);
        if (EFM_WITH_TEXT) {
            efm_text_feed(&agent->text, byte);
        }
    }
    flush(agent);
    return !agent->gone;
}

/* -- what the link asks for ----------------------------------------------------------------------- */

/* The store has changed: what it can take is told in the capability record. */
static void tell_space(efm_agent *agent)
{
    efm_store_space space = {0};
    if (agent->commands.store != NULL) {
        efm_store_measure(&agent->store, &space);
    }
    efm_capability_store(agent->capability, space.bytes, space.largest);
}

static int command(void *context, uint8_t number, const uint8_t *args, uint32_t args_bytes, uint8_t *reply,
                   uint32_t room, uint32_t *reply_bytes)
{
    efm_agent *agent = context;
    efm_request request = {.command = number, .args = args, .args_bytes = args_bytes, .reply = reply, .room = room};
    int status = efm_commands_do(&agent->commands, &request);
    *reply_bytes = request.reply_bytes;
    if (number == EFM_COMMAND_REMOVE || number == EFM_COMMAND_IMPORT) {
        tell_space(agent);
    }
    return status;
}

static int open_bulk(void *context, efm_link_bulk *bulk)
{
    return efm_bulk_open(&((efm_agent *)context)->bulk, bulk);
}

static int take(void *context, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    (void)offset;
    return efm_bulk_take(&((efm_agent *)context)->bulk, bytes, count);
}

static int give(void *context, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    return efm_bulk_give(&((efm_agent *)context)->bulk, offset, bytes, count);
}

static int close_bulk(void *context, bool commit)
{
    efm_agent *agent = context;
    int status = efm_bulk_close(&agent->bulk, commit);
    if (agent->bulk.open.writing && !agent->bulk.open.pulled) {
        tell_space(agent);
    }
    return status;
}

/* -- the firmware --------------------------------------------------------------------------------- */

static bool start_link(efm_agent *agent)
{
    efm_link_config config = {
        .receive = agent->receive,
        .transmit = agent->transmit,
        .frame_bytes = sizeof agent->receive,
        .window = agent->window,
        .window_bytes = sizeof agent->window,
        .info = agent->capability,
        .info_bytes = sizeof agent->capability,
        .context = agent,
        .write = send,
        .command = command,
        .open = open_bulk,
        .take = take,
        .give = give,
        .close = close_bulk,
    };
    return efm_link_init(&agent->link, &config) == EFM_OK;
}

static bool start(efm_agent *agent, const efm_board *board)
{
    memset(agent, 0, sizeof *agent);
    bool timer_works = efm_timer_works(board);
    bool mounted = board->flash.bytes != 0 && efm_store_mount(&agent->store, &board->flash) == EFM_OK;
    efm_store *store = mounted ? &agent->store : NULL;
    efm_inference_host host = {
        .board = board, .link = &agent->link, .timer_works = timer_works, .listen = listen, .context = agent};
    agent->board = board;
    agent->bulk = (efm_bulk){.store = store, .inference = &agent->inference};
    agent->commands = (efm_commands){.board = board, .store = store, .inference = &agent->inference};
    efm_inference_init(&agent->inference, &host);
    agent->store.accept = efm_inference_accept;
    agent->store.context = &agent->inference;
    efm_text_init(&agent->text, board, store, &agent->inference, send, agent);
    efm_capability_fill(agent->capability, board, timer_works);
    tell_space(agent);
    return start_link(agent);
}

void efm_agent_serve(efm_agent *agent, const efm_board *board)
{
    if (!start(agent, board)) {
        return;
    }
    while (listen(agent, true)) {
        if (agent->commands.reset) {
            agent->commands.reset = false;
            board->reset(board->context);
        }
    }
}
