/* SPDX-License-Identifier: Apache-2.0 */
/* Every number of the package format that edgefm.h does not have, as in docs/FORMAT.md; a test compares the two. */
#ifndef EFM_FORMAT_H
#define EFM_FORMAT_H

#define EFM_MAGIC 0x314d4645u /* "EFM1" */

/* Header fields of FORMAT.md, by offset. */
enum {
    EFM_AT_MAGIC = 0,
    EFM_AT_MAJOR = 4,
    EFM_AT_BYTES = 8,
    EFM_AT_HEAD = 12,
    EFM_AT_HEAD_CRC = 16,
    EFM_AT_CRC = 20,
    EFM_AT_FEATURES = 24,
    EFM_AT_SECTIONS = 28,
    EFM_AT_ARENA = 32,
    EFM_AT_CONTROL = 36,
    EFM_AT_EXTERNAL = 40,
    EFM_AT_IO = 44,
    EFM_AT_ALIGNMENT = 48,
    EFM_AT_PORT_BUFFERS = 50,
    EFM_AT_BURST = 52,
    EFM_AT_WINDOW = 56,
    EFM_AT_POOL = 60,
    EFM_AT_POOL_PAGES = 64,
    EFM_AT_PAGE = 66,
    EFM_AT_VERSION = 68,
    EFM_AT_FRONT = 72,
    EFM_AT_WEIGHT_ALIGNMENT = 76,
    EFM_AT_WEIGHT_BURST = 80,
    EFM_AT_RESERVED = 84
};

/* Flag of a section that a reader must know, and limits. */
enum {
    EFM_SECTION_REQUIRED = 1,
    EFM_MAX_SECTIONS = 64,
    EFM_MAX_DIMENSION = 1 << 24,
    EFM_MAX_ROWS = 0xffff,
    EFM_MAX_BYTES = 0x7fffffff,
    EFM_MAX_OPERANDS = 16,
    EFM_MAX_ALIGNMENT = 4096,
    EFM_MIN_PAGE = 16,
    EFM_MAX_PAGE = 32768,
    EFM_TILE_ALIGNMENT = 16
};

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
    EFM_SECTION_SIGNATURE = 14,
    EFM_SECTION_CAPS = 15,
    EFM_SECTION_REFERENCES = 16,
    EFM_SECTION_TILES = 17,
    EFM_SECTION_WEIGHT_TABLES = 18
};

/* Record sizes of FORMAT.md, in bytes. */
enum {
    EFM_HEADER_BYTES = 96,
    EFM_SECTION_BYTES = 16,
    EFM_STREAM_BYTES = 32,
    EFM_BUFFER_BYTES = 12,
    EFM_OPERATOR_BYTES = 40,
    EFM_FIRING_BYTES = 4,
    EFM_STAGE_BYTES = 8,
    EFM_MAP_BYTES = 40,
    EFM_TENSOR_BYTES = 48,
    EFM_CAP_BYTES = 24,
    EFM_REFERENCE_BYTES = 16,
    EFM_TILE_BYTES = 40
};

/* Fields of the records of FORMAT.md, by offset. */
enum {
    EFM_SECTION_AT_ID = 0,
    EFM_SECTION_AT_FLAGS = 2,
    EFM_SECTION_AT_OFFSET = 4,
    EFM_SECTION_AT_SIZE = 8,
    EFM_SECTION_AT_COUNT = 12,
};

enum {
    EFM_STREAM_AT_HEIGHT = 0,
    EFM_STREAM_AT_WIDTH = 4,
    EFM_STREAM_AT_CHANNELS = 8,
    EFM_STREAM_AT_ELEMENT = 12,
    EFM_STREAM_AT_BUFFER = 14,
    EFM_STREAM_AT_PRODUCER = 16,
    EFM_STREAM_AT_RESERVED = 18,
    EFM_STREAM_AT_OFFSET = 20,
    EFM_STREAM_AT_PIXEL_STRIDE = 24,
    EFM_STREAM_AT_ZERO_POINT = 28,
};

enum {
    EFM_BUFFER_AT_OFFSET = 0,
    EFM_BUFFER_AT_SLOT_BYTES = 4,
    EFM_BUFFER_AT_SLOTS = 8,
};

enum {
    EFM_OPERATOR_AT_KIND = 0,
    EFM_OPERATOR_AT_N_IN = 1,
    EFM_OPERATOR_AT_N_OUT = 2,
    EFM_OPERATOR_AT_RESERVED = 3,
    EFM_OPERATOR_AT_OPERANDS = 4,
    EFM_OPERATOR_AT_PARAMS = 8,
    EFM_OPERATOR_AT_N_PARAMS = 12,
    EFM_OPERATOR_AT_TILES = 16,
    EFM_OPERATOR_AT_N_TILES = 20,
    EFM_OPERATOR_AT_SCRATCH = 24,
    EFM_OPERATOR_AT_SCRATCH_BYTES = 28,
    EFM_OPERATOR_AT_ROWS = 32,
    EFM_OPERATOR_AT_LINK = 36,
};

enum {
    EFM_TILE_AT_OFFSET = 0,
    EFM_TILE_AT_BYTES = 4,
    EFM_TILE_AT_RAW_BYTES = 8,
    EFM_TILE_AT_CRC = 12,
    EFM_TILE_AT_FIRST_OUT = 16,
    EFM_TILE_AT_OUT = 20,
    EFM_TILE_AT_FIRST_IN = 24,
    EFM_TILE_AT_IN = 28,
    EFM_TILE_AT_MEMORY = 32,
    EFM_TILE_AT_PACKING = 33,
    EFM_TILE_AT_CODE = 34,
    EFM_TILE_AT_FLAGS = 35,
    EFM_TILE_AT_TABLE = 36,
    EFM_TILE_AT_RESERVED = 38,
};

/* Flag of a tile. */
enum {
    EFM_TILE_KEPT = 1 /* read and decoded at its operator's first firing only */
};

/* Where the bytes of a tile are. */
enum {
    EFM_MEMORY_MAPPED = 0,
    EFM_MEMORY_PORT = 1 /* behind the weight port */
};

enum {
    EFM_FIRING_AT_OPERATOR = 0,
    EFM_FIRING_AT_ROWS = 2,
};

enum {
    EFM_STAGE_AT_FIRST = 0,
    EFM_STAGE_AT_FIRINGS = 4,
};

enum {
    EFM_MAP_AT_ADDRESS = 0,
    EFM_MAP_AT_SLOT_BYTES = 4,
    EFM_MAP_AT_ROWS = 8,
    EFM_MAP_AT_ROW_BYTES = 12,
    EFM_MAP_AT_CODEC = 16,
    EFM_MAP_AT_FLAGS = 18,
    EFM_MAP_AT_TABLES = 20,
    EFM_MAP_AT_TABLES_BYTES = 24,
    EFM_MAP_AT_DIRECTORY = 28,
    EFM_MAP_AT_STORE = 32,
    EFM_MAP_AT_CAP = 36,
    EFM_MAP_AT_REFERENCE = 38,
};

enum {
    EFM_CAP_AT_MAP = 0,
    EFM_CAP_AT_RATE = 4,
    EFM_CAP_AT_DEPTH = 8,
    EFM_CAP_AT_RELEASE = 12,
    EFM_CAP_AT_PLACE = 16,
    EFM_CAP_AT_QUALITY = 17,
    EFM_CAP_AT_TILE = 18,
    EFM_CAP_AT_TABLE = 20,
};

enum {
    EFM_REFERENCE_AT_MAP = 0,
    EFM_REFERENCE_AT_OFFSET = 4,
    EFM_REFERENCE_AT_RELEASE = 8,
    EFM_REFERENCE_AT_REFRESH = 12,
};

enum {
    EFM_TENSOR_AT_ROWS = 0,
    EFM_TENSOR_AT_ROW_BYTES = 4,
    EFM_TENSOR_AT_TYPE = 8,
    EFM_TENSOR_AT_RANK = 9,
    EFM_TENSOR_AT_SCALE = 12,
    EFM_TENSOR_AT_ZERO_POINT = 16,
    EFM_TENSOR_AT_SHAPE = 20,
    EFM_TENSOR_AT_NAME = 36,
    EFM_TENSOR_AT_NAME_BYTES = 40,
    EFM_TENSOR_AT_UNUSED = 44,
};

/* The control region: one 16-bit row counter per operator, then a window of operands. */
enum { EFM_COUNTER_BYTES = 2, EFM_WINDOW_BYTES = 40 };

/* Behind the window: the state of each cap, then of the page pool with one link per page. */
enum { EFM_CAP_STATE_BYTES = 24, EFM_POOL_STATE_BYTES = 8, EFM_LINK_BYTES = 2 };

/* Where a capped map is; where its least shifts come from; the coarsest shift; a stored row's first byte. */
enum {
    EFM_PLACE_EXTERNAL = 0,
    EFM_PLACE_POOL = 1,
    EFM_QUALITY_EVEN = 0,
    EFM_QUALITY_ROWS = 1,
    EFM_QUALITY_STATIC = 2,
    EFM_QUALITY_DERIVED = 3,
    EFM_QUALITY_SIGNALLED = 4,
    EFM_QUALITIES = 5,
    EFM_QUALITY_CLASSES = 4,
    EFM_MAX_SHIFT = 8,
    EFM_ROW_SHIFT = 15,
    EFM_ROW_FRESH = 16
};

/* Flag of a stored map: its rows are pairs of the stream's. */
enum { EFM_MAP_PAIRED = 1 };

/* A cursor's scratch begins with its ticket. */
enum { EFM_CURSOR_BYTES = 16 };

#endif
