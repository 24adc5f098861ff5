/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of a package that is all in memory as a weight port's, as late as a port may be. */
#ifndef BEHIND_PORT_H
#define BEHIND_PORT_H

#include "late_port.h"
#include "model.h"
#include "tiles/weight_memory.h"

static inline efm_late_port weights_behind(const efm_model *model)
{
    return (efm_late_port){.memory = (uint8_t *)(uintptr_t)model->section[EFM_SECTION_WEIGHTS].at,
                           .bytes = efm_model_weight_bytes(model)};
}

static inline efm_port weight_port(efm_late_port *late)
{
    return (efm_port){efm_late_read, NULL, efm_late_wait, late};
}

/* Makes the checksums of tiles right that a change has made wrong, so that tests get past them. `package` is the
   model's, open and all there. */
static inline void mend_tiles(const efm_model *model, uint8_t *package)
{
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_TILES); i++) {
        uint32_t record = (uint32_t)(efm_model_record(model, EFM_SECTION_TILES, i) - package);
        efm_tile_view tile;
        efm_model_tile(model, i, &tile);
        if (efm_tile_is_ported(&tile)) {
            efm_store_le32(package + record + EFM_TILE_AT_CRC, efm_word_sum(tile.at, tile.bytes));
        }
    }
}

#endif
