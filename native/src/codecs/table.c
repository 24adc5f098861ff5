/* SPDX-License-Identifier: Apache-2.0 */
#include "../config.h"
#include "lossless.h"

static const efm_codec_class *const classes[] = {
#if EFM_WITH_RLE
    &efm_codec_rle,
#endif
#if EFM_WITH_ZVC
    &efm_codec_zvc,
#endif
#if EFM_WITH_EBPC
    &efm_codec_ebpc,
#endif
#if EFM_WITH_CONTEXT
    &efm_codec_context,
#endif
#if EFM_WITH_RICE
    &efm_codec_rice,
#endif
#if EFM_WITH_TANS
    &efm_codec_tans,
#endif
#if EFM_WITH_DCTCM
    &efm_codec_dctcm,
#endif
#if EFM_WITH_GF2
    &efm_codec_gf2,
#endif
#if EFM_WITH_TEMPORAL
    &efm_codec_temporal,
#endif
#if EFM_WITH_MIX
    &efm_codec_mix,
#endif
    0,
};

const efm_codec_class *efm_codec_find(uint32_t id)
{
    uint32_t i = 0;

    while (classes[i] != 0 && classes[i]->id != id) {
        i++;
    }
    return classes[i];
}
