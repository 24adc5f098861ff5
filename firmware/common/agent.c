/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include <string.h>

/* -- the line ------------------------------------------------------------------------------------- */

static void flush(efm_agent *agent)
{
    if (agent->out_end != 0)
        agent->board->write(agent->board->context, agent->out, agent->out_end);
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
        if (agent->out_end == sizeof agent->out)
            flush(agent);
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

void efm_agent_listen(efm_agent *agent, bool wait)
{
    if (agent->in_at == agent->in_end && !agent->gone)
        fill(agent, wait);
    while (agent->in_at != agent->in_end)
        efm_link_feed(&agent->link, agent->in[agent->in_at++]);
    flush(agent);
}

/* -- what the link asks for ----------------------------------------------------------------------- */

static int command(void *context, uint8_t number, const uint8_t *args, uint32_t args_bytes, uint8_t *reply,
                   uint32_t room, uint32_t *reply_bytes)
{
    (void)context;
    (void)number;
    (void)args;
    (void)args_bytes;
    (void)reply;
    (void)room;
    (void)reply_bytes;
    return EFM_LINK_BAD_REQUEST;
}

static int open_bulk(void *context, efm_link_bulk *bulk)
{
    (void)context;
    return bulk->writing ? EFM_LINK_NO_SPACE : EFM_LINK_NOT_FOUND;
}

static int take(void *context, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    (void)offset;
    (void)bytes;
    (void)count;
    return EFM_LINK_REFUSED;
}

static int give(void *context, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    (void)context;
    (void)offset;
    (void)bytes;
    (void)count;
    return EFM_LINK_REFUSED;
}

static int close_bulk(void *context, bool commit)
{
    (void)context;
    (void)commit;
    return EFM_OK;
}

/* -- the firmware --------------------------------------------------------------------------------- */

static bool start(efm_agent *agent, const efm_board *board)
{
    memset(agent, 0, sizeof *agent);
    agent->board = board;
    efm_capability_fill(agent->capability, board, true);
    efm_link_config config = {
        .receive = agent->receive, .transmit = agent->transmit, .frame_bytes = sizeof agent->receive,
        .window = agent->window, .window_bytes = sizeof agent->window,
        .info = agent->capability, .info_bytes = sizeof agent->capability,
        .context = agent, .write = send, .command = command,
        .open = open_bulk, .take = take, .give = give, .close = close_bulk,
    };
    return efm_link_init(&agent->link, &config) == EFM_OK;
}

void efm_agent_serve(efm_agent *agent, const efm_board *board)
{
    if (!start(agent, board))
        return;
    while (!agent->gone)
        efm_agent_listen(agent, true);
}
