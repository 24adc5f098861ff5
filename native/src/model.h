/* SPDX-License-Identifier: Apache-2.0 */
/* Views into a checked package. Everything here trusts efm_model_open(). */
#ifndef EFM_MODEL_H
#define EFM_MODEL_H

#include "../include/edgefm.h"
#include "codecs/codec.h"
#include "ops/op.h"

/* Section ids of FORMAT.md. */
enum {
    EFM_SECTION_STREAMS = 1,
    EFM_SECTION_BUFFERS = 2,
    EFM_SECTION_OPERATORS = 3,
    EFM_SECTION_OPERANDS = 4,
    EFM_SECTION_PARAMS = 5,
    EFM_SECTION_WEIGHTS = 6,
    EFM_SECTION_FIRINGS = 7,
    EFM_SECTION_STAGES = 8,
    EFM_SECTION_MAPS = 9,
    EFM_SECTION_TABLES = 10,
    EFM_SECTION_TENSORS = 11,
    EFM_SECTION_NAMES = 12,
    EFM_SECTION_META = 13,
    EFM_SECTION_SIGNATURE = 14
};

/* Operator ids that the executor itself carries out. */
enum { EFM_OP_INPUT = 1, EFM_OP_OUTPUT = 2, EFM_OP_LOAD = 3, EFM_OP_STORE = 4 };

/* Record sizes of FORMAT.md, in bytes. */
enum {
    EFM_HEADER_BYTES = 64,
    EFM_SECTION_BYTES = 16,
    EFM_STREAM_BYTES = 32,
    EFM_BUFFER_BYTES = 12,
    EFM_OPERATOR_BYTES = 40,
    EFM_FIRING_BYTES = 4,
    EFM_STAGE_BYTES = 8,
    EFM_MAP_BYTES = 40,
    EFM_TENSOR_BYTES = 48
};

/* The control region: one 16-bit row counter per operator, then a window of operands. */
enum { EFM_COUNTER_BYTES = 2, EFM_WINDOW_BYTES = 40 };

/* Bits of required_features. */
enum { EFM_FEATURE_EXTERNAL = 1, EFM_FEATURE_CODED = 2, EFM_FEATURES = 3 };

typedef struct efm_op_view {
    uint32_t kind;
    uint32_t n_in;
    uint32_t n_out;
    const uint8_t *operands;  /* u16 stream indices, inputs first */
    const uint8_t *params;
    uint32_t n_params;
    const uint8_t *weights;
    uint32_t weights_bytes;
    uint32_t scratch;         /* arena offset */
    uint32_t scratch_bytes;
    uint32_t rows;            /* fired in all */
    uint32_t link;            /* tensor index of INPUT and OUTPUT, map index of LOAD and STORE */
} efm_op_view;

typedef struct efm_map_view {
    uint32_t address;
    uint32_t slot_bytes;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t codec;           /* 0 = raw */
    const uint8_t *tables;
    uint32_t tables_bytes;
    uint32_t directory;       /* arena offset of u16 lengths; coded maps only */
    uint32_t store;           /* operator that writes the map */
} efm_map_view;

uint32_t efm_model_field(const efm_model *model, uint32_t offset); /* header field */
uint32_t efm_model_control_bytes(const efm_model *model);
uint32_t efm_model_window_operands(const efm_model *model);
uint32_t efm_model_window_offset(const efm_model *model);
uint32_t efm_model_alignment(const efm_model *model);
uint32_t efm_model_port_buffers(const efm_model *model);
uint32_t efm_model_burst(const efm_model *model);

void efm_model_op(const efm_model *model, uint32_t index, efm_op_view *op);
void efm_model_map(const efm_model *model, uint32_t index, efm_map_view *map);

/* A stream as rows; `arena` may be null while nothing is to be read. */
void efm_model_rows(const efm_model *model, uint32_t stream, uint8_t *arena, efm_rows *rows);
uint32_t efm_model_producer(const efm_model *model, uint32_t stream);

/* Bytes of a transfer of `bytes`, rounded up to the port's alignment. */
uint32_t efm_model_transfer(const efm_model *model, uint32_t bytes);

/* What a codec is told about the rows of a map. */
void efm_model_codec_args(const efm_map_view *map, const efm_rows *rows, efm_codec_args *args);

/* Scratch that a LOAD or STORE needs: tickets, code buffers, codec state. */
enum { EFM_CURSOR_BYTES = 16 };
uint32_t efm_model_code_bytes(const efm_model *model, const efm_map_view *map);

#endif
