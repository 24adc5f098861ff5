/* SPDX-License-Identifier: Apache-2.0 */
/* Every number of the package format, as in docs/FORMAT.md; a test compares the two. */
#ifndef EFM_FORMAT_H
#define EFM_FORMAT_H

#define EFM_MAGIC 0x314d4645u /* "EFM1" */

/* Version of the layout that this runtime reads. */
enum { EFM_FORMAT_MAJOR = 1, EFM_FORMAT_MINOR = 0 };

/* Header fields of FORMAT.md, by offset. */
enum {
    EFM_AT_MAGIC = 0, EFM_AT_MAJOR = 4, EFM_AT_BYTES = 8, EFM_AT_CRC = 12, EFM_AT_CHECKED = 16, EFM_AT_FEATURES = 16,
    EFM_AT_SECTIONS = 20, EFM_AT_ARENA = 24, EFM_AT_CONTROL = 28, EFM_AT_EXTERNAL = 32, EFM_AT_IO = 36, EFM_AT_ALIGNMENT = 40,
    EFM_AT_PORT_BUFFERS = 42, EFM_AT_BURST = 44, EFM_AT_WINDOW = 48, EFM_AT_POOL = 52, EFM_AT_POOL_PAGES = 56,
    EFM_AT_PAGE = 58, EFM_AT_RESERVED = 60
};

/* Flag of a section that a reader must know, and limits. */
enum {
    EFM_SECTION_REQUIRED = 1, EFM_MAX_SECTIONS = 64, EFM_MAX_DIMENSION = 1 << 24, EFM_MAX_ROWS = 0xffff, EFM_MAX_BYTES = 0x7fffffff,
    EFM_MAX_ENDS = 32, EFM_MAX_OPERANDS = 16, EFM_MAX_ALIGNMENT = 4096, EFM_MIN_PAGE = 16, EFM_MAX_PAGE = 32768
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
    EFM_SECTION_REFERENCES = 16
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
    EFM_TENSOR_BYTES = 48,
    EFM_CAP_BYTES = 24,
    EFM_REFERENCE_BYTES = 16
};

/* The control region: one 16-bit row counter per operator, then a window of operands. */
enum { EFM_COUNTER_BYTES = 2, EFM_WINDOW_BYTES = 40 };

/* Behind the window: the state of each cap, then of the page pool with one link per page. */
enum { EFM_CAP_STATE_BYTES = 24, EFM_POOL_STATE_BYTES = 8, EFM_LINK_BYTES = 2 };

/* Where a capped map is; where its least shifts come from; the coarsest shift; a stored row's first byte. */
enum { EFM_PLACE_EXTERNAL = 0, EFM_PLACE_POOL = 1, EFM_QUALITY_EVEN = 0, EFM_QUALITY_ROWS = 1, EFM_QUALITY_STATIC = 2,
       EFM_QUALITY_DERIVED = 3, EFM_QUALITY_SIGNALLED = 4, EFM_QUALITIES = 5, EFM_QUALITY_CLASSES = 4, EFM_MAX_SHIFT = 8, EFM_ROW_SHIFT = 15, EFM_ROW_FRESH = 16 };

/* Flag of a stored map: its rows are pairs of the stream's. */
enum { EFM_MAP_PAIRED = 1 };

/* A cursor's scratch begins with its ticket. */
enum { EFM_CURSOR_BYTES = 16 };

/* Bits of required_features. */
enum {
    EFM_FEATURE_EXTERNAL = 1, EFM_FEATURE_CODED = 2, EFM_FEATURE_CAPPED = 4, EFM_FEATURE_TEMPORAL = 8,
    EFM_FEATURE_PAIRED = 16, EFM_FEATURE_QUALITY = 32, EFM_FEATURES = 63
};

#endif
