/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware of a board that is nothing else; boards that are processes have their own main(). */
#include "agent.h"

int main(void)
{
    static efm_agent agent;
    efm_agent_serve(&agent, efm_board_start());
    for (;;)
        ;
}
