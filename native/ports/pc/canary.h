/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on either side of memory that the runtime gets on a PC: the caller checks that they have not changed. */
#ifndef EFM_CANARY_H
#define EFM_CANARY_H

enum { EFM_CANARY_BYTES = 64, EFM_CANARY = 0xA5 };

#endif
