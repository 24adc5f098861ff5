/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of this build. */
#include "codec.h"
#include "list.h"

#define EFM_DECLARE(id, name, class) extern const efm_codec_class efm_codec_##class;
EFM_CODECS(EFM_DECLARE)
#undef EFM_DECLARE

#define EFM_ROW(id, name, class) EFM_WHEN(name, &efm_codec_##class, )
static const efm_codec_class *const classes[] = {EFM_CODECS(EFM_ROW) 0};
#undef EFM_ROW

const efm_codec_class *efm_codec_find(uint32_t id)
{
    uint32_t i = 0;

    while (classes[i] != 0 && classes[i]->id != id) {
        i++;
    }
    return classes[i];
}
