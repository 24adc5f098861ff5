/* SPDX-License-Identifier: Apache-2.0 */
/* Memory-mapped RAM as the external port, and as the flash of boards that have none to write. */
#ifndef EFM_RAM_H
#define EFM_RAM_H

#include "port.h"

typedef struct efm_ram_port {
    uint8_t *at;
    uint32_t bytes;
    uint32_t busy; /* bit i: ticket i waits to be waited for */
} efm_ram_port;

/* A port that copies at once, and refuses what lies outside its memory or was never begun. */
efm_port efm_ram_as_port(efm_ram_port *ram);

enum { EFM_RAM_ERASE_BYTES = 4096 };

/* RAM that erases and programs like flash; it keeps its models as long as it keeps its bytes. `bytes` is a
   multiple of EFM_RAM_ERASE_BYTES. */
efm_flash efm_ram_as_flash(uint8_t *at, uint32_t bytes);

#endif
