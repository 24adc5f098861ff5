/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the checksums of a changed package right, so that tests get past them. */
#ifndef SEAL_H
#define SEAL_H

#include "edgefm_bytes.h"
#include "format.h"

static inline uint32_t seal_of(const uint8_t *package, uint32_t bytes)
{
    return efm_crc32(efm_crc32(0, package, EFM_AT_HEAD_CRC), package + EFM_AT_FEATURES, bytes - EFM_AT_FEATURES);
}

/* Nothing happens to less than a header, nor to the head's checksum where the header says no possible head. */
static inline void seal(uint8_t *package, uint32_t bytes)
{
    if (bytes < EFM_HEADER_BYTES) {
        return;
    }
    uint32_t head = efm_load_le32(package + EFM_AT_HEAD);
    if (head >= EFM_HEADER_BYTES && head <= bytes) {
        efm_store_le32(package + EFM_AT_HEAD_CRC, seal_of(package, head));
    }
    efm_store_le32(package + EFM_AT_CRC, seal_of(package, bytes));
}

/* The first `cut` bytes of a package become one of that size; its head becomes as small as it must. */
static inline void seal_cut(uint8_t *package, uint32_t cut)
{
    if (cut < EFM_HEADER_BYTES) {
        return;
    }
    efm_store_le32(package + EFM_AT_BYTES, cut);
    if (efm_load_le32(package + EFM_AT_HEAD) > cut) {
        efm_store_le32(package + EFM_AT_HEAD, cut);
    }
    seal(package, cut);
}

#endif
