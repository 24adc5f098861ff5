/* SPDX-License-Identifier: Apache-2.0 */
/* edgefm: run a convolutional network whose feature maps do not fit the memory.
 *
 *     static uint8_t arena[96 * 1024];          // 8-byte aligned, efm_model_arena_bytes() of it
 *
 *     static int32_t pixels(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
 *     {
 *         return camera_read_row(y, row, bytes);                    // 0 = done
 *     }
 *
 *     static int32_t scores(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
 *     {
 *         memcpy(context, row, bytes);
 *         return 0;
 *     }
 *
 *     efm_model model;
 *     efm_host host = { .context = result, .input = pixels, .output = scores, .port = psram };
 *     efm_counters counters;
 *     if (efm_model_open(&model, package, sizeof package, arena, sizeof arena) == EFM_OK &&
 *         efm_model_arena_bytes(&model) <= sizeof arena)
 *         status = efm_run(&model, &host, arena, sizeof arena, &counters);
 *
 * The package is read in place and must stay where it is. Nothing is allocated, nothing is global: any
 * number of models may run at once, each with its own arena. */
#ifndef EDGEFM_H
#define EDGEFM_H

#include <stdint.h>

#include "edgefm_status.h"

/* Version of this runtime, and of the package layout that it reads. */
#define EFM_VERSION_MAJOR 0
#define EFM_VERSION_MINOR 1
#define EFM_VERSION_PATCH 0
#define EFM_VERSION       "0.1.0"
enum { EFM_FORMAT_MAJOR = 2, EFM_FORMAT_MINOR = 0 };

#ifdef __cplusplus
extern "C" {
#endif

/* EFM_VERSION of the compiled library. */
const char *efm_version(void);

/* What a package may require, and what a build can run: bits of required_features. */
enum {
    EFM_FEATURE_EXTERNAL = 1,
    EFM_FEATURE_CODED = 2,
    EFM_FEATURE_CAPPED = 4,
    EFM_FEATURE_TEMPORAL = 8,
    EFM_FEATURE_PAIRED = 16,
    EFM_FEATURE_QUALITY = 32,
    EFM_FEATURES = 63
};

/* The features of this build. EXTERNAL needs a port as well, CODED and PAIRED a codec. */
uint32_t efm_features(void);

/* Ids of the operators that the executor itself carries out; ops/list.h has the others. */
enum { EFM_OP_INPUT = 1, EFM_OP_OUTPUT = 2, EFM_OP_LOAD = 3, EFM_OP_STORE = 4 };

/* 1 when this build has the operator, or the codec, with this id of FORMAT.md; else 0. INPUT and OUTPUT, LOAD
   and STORE, and the codec raw belong to every build. */
int efm_has_operator(uint32_t id);
int efm_has_codec(uint32_t id);

/* Bit i: packing i of FORMAT.md can be read, of convolutions of one kind at least. */
uint32_t efm_packings(void);

/* The instruction set that this build has kernels for: "dsp", "x86", "portable". */
const char *efm_kernels(void);

/* Sections that this version knows, and the most inputs, and outputs, that a network has. */
enum { EFM_SECTIONS = 18, EFM_MAX_ENDS = 32 };

typedef struct efm_section {
    const uint8_t *at; /* null when the package has no such section */
    uint32_t bytes;
    uint32_t count;    /* records */
} efm_section;

/* A checked package. Filled by efm_model_open(); read the fields through the functions below. */
typedef struct efm_model {
    const uint8_t *package;
    uint32_t bytes;
    efm_section section[EFM_SECTIONS];
    const uint8_t *prepared; /* of efm_model_prepare(), or null */
} efm_model;

/* One graph input or output as the caller sees it. */
typedef struct efm_tensor {
    uint32_t rows;          /* pulled or pushed one by one */
    uint32_t row_bytes;
    uint32_t type;          /* EFM_TYPE_* of FORMAT.md */
    uint32_t scale_bits;    /* IEEE single; 0 when there is none */
    int32_t zero_point;
    uint32_t rank;
    uint32_t shape[4];
    const uint8_t *name;    /* UTF-8, name_bytes of it, in the package */
    uint32_t name_bytes;
} efm_tensor;

enum { EFM_TYPE_INT8 = 0, EFM_TYPE_UINT8 = 1, EFM_TYPE_INT32 = 2, EFM_TYPE_INT64 = 3, EFM_TYPE_FLOAT32 = 4 };

/* External memory. begin_*() starts a transfer and hands out a ticket; wait() returns when it is over.
   A synchronous board does everything in begin. All three return 0 when well; `port` is handed back.
   wait() must refuse a ticket that is not under way: a forged package can make the runtime mix them up. */
typedef struct efm_port {
    int32_t (*begin_read)(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket);
    int32_t (*begin_write)(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket);
    int32_t (*wait)(void *port, uint32_t ticket);
    void *port;
} efm_port;

/* What crossed for one stored map in one run: into and out of external memory or the page pool. */
typedef struct efm_map_counters {
    uint64_t write_bytes;
    uint64_t read_bytes;    /* by all its readers together */
    uint32_t rows_written;
    uint32_t rows_read;
    uint32_t raw_rows;      /* of a coded map, rows that were stored as they are */
    uint32_t capped_rows;   /* of a capped map, rows that had to be made coarser */
    uint32_t largest_shift; /* the most bits that a value of them lost */
} efm_map_counters;

/* What the caller lends for one run. `event`, `poll`, `tap` and `maps` may be null. */
typedef struct efm_host {
    void *context;
    int32_t (*input)(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes);
    int32_t (*output)(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes);
    /* A stage is about to begin (stage < number of stages) or everything is done. */
    void (*event)(void *context, uint32_t stage);
    /* Between firings, after each: other than 0 gives the run up with HOST_FAILED. */
    int32_t (*poll)(void *context);
    /* A row entered a ring (builds with EFM_WITH_TAP): pixels are pixel_stride bytes apart. */
    void (*tap)(void *context, uint32_t stream, uint32_t y, const uint8_t *row, uint32_t pixel_stride);
    efm_port port;          /* needed when the package has external maps */
    /* Which frame of a stream this is, for packages whose maps refer to the frame before: 0 starts over;
       n follows on frame n - 1, and nothing else has used the arena since. */
    uint32_t frame;
    efm_map_counters *maps; /* [efm_model_maps()], to be filled: a run's counters, map by map */
} efm_host;

/* Bytes of one run, counted where they cross. */
typedef struct efm_counters {
    uint64_t external_read_bytes;
    uint64_t external_write_bytes;
    uint64_t weight_read_bytes;
    uint64_t input_read_bytes;
    uint64_t output_write_bytes;
    uint64_t coded_bytes;   /* of the external bytes, those of coded maps */
    uint64_t coded_values;  /* values that those bytes stand for */
    uint64_t coded_rows;
    uint64_t raw_rows;      /* rows of coded maps that were stored as they are */
    uint64_t pool_bytes;    /* of coded rows into and out of the page pool */
    uint64_t pool_values;   /* values that those bytes stand for */
    uint64_t pool_pages;    /* most pages in use at once */
    uint64_t capped_rows;   /* rows of capped maps that had to be made coarser */
    uint64_t largest_shift; /* the most bits that a value of them lost; 0 when there were none */
    uint64_t reference_bytes; /* of the frame before in fast memory, read and written */
} efm_counters;

/* What efm_model_open() borrows of the arena while it checks; what the arena's address is a multiple of. */
enum { EFM_OPEN_BYTES = 640, EFM_ARENA_ALIGNMENT = 8 };

/* Checks all that running relies on, so that nothing has to be checked later, and keeps a pointer to the package.
   The time it takes goes by the number of records: weights are not read. `arena` is aligned to
   EFM_ARENA_ALIGNMENT and at least EFM_OPEN_BYTES long; it is free again afterwards. */
EFM_MUST_CHECK efm_status efm_model_open(efm_model *model, const uint8_t *package, uint32_t bytes, uint8_t *arena,
                                         uint32_t arena_bytes);

/* For machines with memory to spare: lays the weights out once as the processor's kernels read them fastest, in
   `memory`, which is 64-byte aligned and must stay where it is. Outputs are the same with and without. Bytes: 0 where
   there is nothing to gain. Returns EFM_BAD_ARGUMENT for less memory than that. */
uint32_t efm_model_prepare_bytes(const efm_model *model);
EFM_MUST_CHECK efm_status efm_model_prepare(efm_model *model, uint8_t *memory, uint32_t bytes);

/* Reads everything once and holds it against the checksums of the package and of its tiles: for a package
   that has just arrived. EFM_BAD_CHECKSUM when it is damaged. */
EFM_MUST_CHECK efm_status efm_model_verify(const efm_model *model);

/* Fast memory to lend to efm_run(). */
uint32_t efm_model_arena_bytes(const efm_model *model);

/* External memory that the port must offer, from address 0. */
uint32_t efm_model_external_bytes(const efm_model *model);

/* What the addresses and sizes of its transfers are multiples of, in bytes. */
uint32_t efm_model_alignment(const efm_model *model);

uint32_t efm_model_inputs(const efm_model *model);
uint32_t efm_model_outputs(const efm_model *model);
uint32_t efm_model_stages(const efm_model *model);
uint32_t efm_model_maps(const efm_model *model); /* that are stored */

/* Describes input or output number `index`; EFM_BAD_ARGUMENT when there is none. */
EFM_MUST_CHECK efm_status efm_model_input(const efm_model *model, uint32_t index, efm_tensor *tensor);
EFM_MUST_CHECK efm_status efm_model_output(const efm_model *model, uint32_t index, efm_tensor *tensor);

/* Runs the model once. `arena` is aligned to EFM_ARENA_ALIGNMENT and holds arena bytes; nothing beyond them is
   touched. On an error the outputs pushed so far are void. */
EFM_MUST_CHECK efm_status efm_run(const efm_model *model, const efm_host *host, uint8_t *arena, uint32_t arena_bytes,
                                  efm_counters *counters);

/* The name of a status, for messages. */
const char *efm_status_name(efm_status status);

#ifdef __cplusplus
}
#endif

#endif
