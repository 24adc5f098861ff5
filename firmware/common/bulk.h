/* SPDX-License-Identifier: Apache-2.0 */
/* What the names of bulk transfers stand for: packages of the store, and ":..." for the device's own. */
#ifndef EFM_BULK_H
#define EFM_BULK_H

#include "inference.h"

enum { EFM_BULK_RECORD = 48 }; /* of ":list" */

typedef struct efm_bulk {
    efm_store *store;            /* null when there is none */
    const efm_inference *inference;
    efm_link_bulk open;          /* the open transfer */
    const uint8_t *at;           /* what is read; null: records, which are made when they are asked for */
    const struct efm_bulk_records *records;
    uint32_t listed, listed_at;  /* the record of ":list" that was made last, and the cursor before it */
    uint8_t small[EFM_RUN_END_BYTES];
} efm_bulk;

/* The callbacks of efm_link_config. */
int efm_bulk_open(efm_bulk *bulk, efm_link_bulk *asked);
int efm_bulk_take(efm_bulk *bulk, const uint8_t *bytes, uint32_t count);
int efm_bulk_give(efm_bulk *bulk, uint32_t offset, uint8_t *bytes, uint32_t count);
int efm_bulk_close(const efm_bulk *bulk, bool commit);

#endif
