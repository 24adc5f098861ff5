/* SPDX-License-Identifier: Apache-2.0 */
/* Where a package's weights are: in it, or behind a port, with only the front of the package addressable. */
#ifndef EFM_WEIGHT_MEMORY_H
#define EFM_WEIGHT_MEMORY_H

#include "../model.h"

/* A checksum of a tile behind the weight port: any change within four bytes changes it, any other one does but once in
   2^32. */
uint32_t efm_word_sum(const uint8_t *bytes, uint32_t count);

/* What a tile's `crc` has to be, with `at` its stored bytes. */
static inline uint32_t efm_tile_sum(const efm_tile_view *tile, const uint8_t *at)
{
#if EFM_WITH_WEIGHT_PORT
    if (efm_tile_is_ported(tile)) {
        return efm_word_sum(at, tile->bytes);
    }
#endif
    return efm_crc32(0, at, tile->bytes);
}

/* Where the header's reserved fields begin: builds without the port reserve its fields, too. */
enum { EFM_RESERVED_FROM = EFM_WITH_WEIGHT_PORT ? EFM_AT_RESERVED : EFM_AT_FRONT };

#if EFM_WITH_WEIGHT_PORT

/* Whether the bytes are all that has to be addressable of a larger package. */
int efm_is_front(const uint8_t *package, uint32_t bytes);

/* Not 0 where the header's fields of the weight port are wrong, or there without the feature. */
uint32_t efm_check_weight_port(const uint8_t *package);

/* Where a section of bytes must end. Of a package whose front alone is addressable, that is in the front, except for
   weights, which only begin there, and for what no device reads. */
uint32_t efm_section_end(const efm_model *model, uint32_t id, uint32_t offset);

/* Bytes of WEIGHTS that are addressable, from its start. */
uint32_t efm_model_mapped_weights(const efm_model *model);

/* Bytes that cross the weight port for `bytes`. */
uint32_t efm_model_weight_transfer(const efm_model *model, uint32_t bytes);

/* Whether the host has what reads the weights. */
int efm_host_has_weights(const efm_model *model, const efm_host *host);

#else

static inline int efm_is_front(const uint8_t *package, uint32_t bytes)
{
    (void)package;
    (void)bytes;
    return 0;
}

static inline uint32_t efm_check_weight_port(const uint8_t *package)
{
    (void)package;
    return 0;
}

static inline uint32_t efm_section_end(const efm_model *model, uint32_t id, uint32_t offset)
{
    (void)id;
    (void)offset;
    return model->bytes;
}

static inline uint32_t efm_model_mapped_weights(const efm_model *model)
{
    return model->section[EFM_SECTION_WEIGHTS].bytes;
}

static inline uint32_t efm_model_weight_transfer(const efm_model *model, uint32_t bytes)
{
    (void)model;
    return bytes;
}

static inline int efm_host_has_weights(const efm_model *model, const efm_host *host)
{
    (void)model;
    (void)host;
    return 1;
}

#endif

#endif
