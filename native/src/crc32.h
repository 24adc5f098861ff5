/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_CRC32_H
#define EFM_CRC32_H

#include <stdint.h>

/* CRC-32 (reflected polynomial EDB88320, initial and final value FFFFFFFF; "123456789" -> CBF43926).
   Chain pieces by handing the previous result in; start with 0. */
uint32_t efm_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

#endif
