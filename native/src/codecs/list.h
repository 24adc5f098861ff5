/* SPDX-License-Identifier: Apache-2.0 */
/* Every codec, one line each: its id in docs/FORMAT.md (never renumbered), the name behind EFM_CODEC_ and
 * EFM_WITH_, and the name behind efm_codec_ of its class. Raw rows have no code, so raw has no class. */
#ifndef EFM_CODECS_LIST_H
#define EFM_CODECS_LIST_H

#include "../switch.h"

/* clang-format off */
#define EFM_CODECS(X) \
    X(1, RLE, rle) \
    X(2, ZVC, zvc) \
    X(3, EBPC, ebpc) \
    X(4, CONTEXT, context) \
    X(5, RICE, rice) \
    X(6, TANS, tans) \
    X(7, DCTCM, dctcm) \
    X(8, GF2, gf2) \
    X(9, TEMPORAL, temporal) \
    X(10, MIX, mix)
/* clang-format on */

enum {
    EFM_CODEC_RAW = 0,
#define EFM_ID(id, name, class) EFM_CODEC_##name = id,
    EFM_CODECS(EFM_ID)
#undef EFM_ID
};

/* Whether this build has any codec. */
#define EFM_OR(id, name, class) || EFM_HAS(name)
enum { EFM_HAS_CODECS = 0 EFM_CODECS(EFM_OR) };
#undef EFM_OR

#endif
