/* SPDX-License-Identifier: Apache-2.0 */
/* edgefm: run a convolutional network whose feature maps do not fit into memory.
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
 * The runtime reads the package in place, so the package must not move. It allocates nothing and has no global
 * state: any number of models may run at the same time, each with its own arena. */
#ifndef EDGEFM_H
#define EDGEFM_H

#include <stdint.h>

#include "edgefm_status.h"

/* The versions of this runtime and of the package format that it reads. */
#define EFM_VERSION_MAJOR 0
#define EFM_VERSION_MINOR 1
#define EFM_VERSION_PATCH 0
#define EFM_VERSION       "0.1.0"
enum { EFM_FORMAT_MAJOR = 2, EFM_FORMAT_MINOR = 0 };

#ifdef __cplusplus
extern "C" {
#endif

/* The EFM_VERSION that the library was compiled with. */
const char *efm_version(void);

/* Features that a package may require and a build may have: bits of required_features. */
enum {
    EFM_FEATURE_EXTERNAL = 1,
    EFM_FEATURE_CODED = 2,
    EFM_FEATURE_CAPPED = 4,
    EFM_FEATURE_TEMPORAL = 8,
    EFM_FEATURE_PAIRED = 16,
    EFM_FEATURE_QUALITY = 32,
    EFM_FEATURE_WEIGHT_PORT = 64,
    EFM_FEATURE_WEIGHT_CODES = 128,
    EFM_FEATURE_WEIGHT_TILES = 256,
    EFM_FEATURES = 511
};

/* The features of this build. EXTERNAL and WEIGHT_PORT also need a port; CODED and PAIRED also need a codec. */
uint32_t efm_features(void);

/* Ids of the operators that the executor itself runs; ops/list.h has the others. */
enum { EFM_OP_INPUT = 1, EFM_OP_OUTPUT = 2, EFM_OP_LOAD = 3, EFM_OP_STORE = 4 };

/* 1 if this build has the operator, or the codec, with this id of FORMAT.md, else 0. Every build has INPUT, OUTPUT,
   LOAD, STORE and the codec raw. */
int efm_has_operator(uint32_t id);
int efm_has_codec(uint32_t id);

/* Bit i is set if the build reads packing i of FORMAT.md, for at least one kind of convolution. */
uint32_t efm_packings(void);

/* The instruction set of the kernels that this processor uses, at most eight characters: "dsp", "avx2", "portable". */
const char *efm_kernels(void);

/* The number of sections that this version knows; the most inputs, and the most outputs, of a network. */
enum { EFM_SECTIONS = 19, EFM_MAX_ENDS = 32 };

typedef struct efm_section {
    const uint8_t *at; /* null if the package has no such section */
    uint32_t bytes;
    uint32_t count;    /* of records */
} efm_section;

/* A checked package. efm_model_open() fills it; read the fields through the functions below. */
typedef struct efm_model {
    const uint8_t *package;
    uint32_t bytes;
    efm_section section[EFM_SECTIONS];
    const uint8_t *prepared; /* memory of efm_model_prepare(), or null */
} efm_model;

/* One graph input or output as the caller sees it. */
typedef struct efm_tensor {
    uint32_t rows;          /* the runtime pulls or pushes them one by one */
    uint32_t row_bytes;
    uint32_t type;          /* EFM_TYPE_* of FORMAT.md */
    uint32_t scale_bits;    /* IEEE single; 0 without a scale */
    int32_t zero_point;
    uint32_t rank;
    uint32_t shape[4];
    const uint8_t *name;    /* UTF-8, name_bytes of it, in the package */
    uint32_t name_bytes;
} efm_tensor;

enum { EFM_TYPE_INT8 = 0, EFM_TYPE_UINT8 = 1, EFM_TYPE_INT32 = 2, EFM_TYPE_INT64 = 3, EFM_TYPE_FLOAT32 = 4 };

/* External memory. begin_read() and begin_write() start a transfer and give it a ticket; wait() returns when the
   transfer is done. A synchronous board transfers everything in begin_*(). All three return 0 on success; they get
   `port` as their first argument. wait() must refuse a ticket that has no transfer under way, because a forged
   package can make the runtime mix tickets up. */
typedef struct efm_port {
    int32_t (*begin_read)(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket);
    int32_t (*begin_write)(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket);
    int32_t (*wait)(void *port, uint32_t ticket);
    void *port;
} efm_port;

/* The traffic of one stored map in one run: into and out of external memory or the page pool. */
typedef struct efm_map_counters {
    uint64_t write_bytes;
    uint64_t read_bytes;    /* of all its readers together */
    uint32_t rows_written;
    uint32_t rows_read;
    uint32_t raw_rows;      /* rows of a coded map that were stored as they are */
    uint32_t capped_rows;   /* rows of a capped map that had to be made coarser */
    uint32_t largest_shift; /* the most bits that a value of these rows lost */
} efm_map_counters;

enum { EFM_MAX_WORKERS = 32 };

/* Makes a part of a firing. */
typedef void (*efm_work)(const void *job, uint32_t part);

/* Threads that the caller lends for one run, to builds with EFM_WITH_WORKERS. A firing that is worth it is cut into
   parts: each writes bytes of its own, and reads what none of them writes. share() calls work(job, part) once for each
   part 0 .. parts - 1, on any threads and in any order, and returns when all these calls have. */
typedef struct efm_workers {
    uint32_t count;         /* parts at most, 1 .. EFM_MAX_WORKERS; one is for the caller's own thread */
    void (*share)(void *context, uint32_t parts, efm_work work, const void *job);
    void *context;
    uint8_t *scratch;       /* [count][scratch_bytes], 8-byte aligned */
    uint32_t scratch_bytes; /* a multiple of 8, at least efm_model_worker_bytes() */
    uint64_t *products;     /* [count] where each part adds its multiply-adds, whole firings to [0]; or null */
} efm_workers;

/* What the caller provides for one run. `event`, `poll`, `tap`, `maps` and `workers` may be null. */
typedef struct efm_host {
    void *context;
    int32_t (*input)(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes);
    int32_t (*output)(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes);
    /* Called before each stage (stage < number of stages) and once when everything is done. */
    void (*event)(void *context, uint32_t stage);
    /* Called after every firing: a result other than 0 ends the run with HOST_FAILED. */
    int32_t (*poll)(void *context);
    /* Called when a row entered a ring (builds with EFM_WITH_TAP): pixels are pixel_stride bytes apart. */
    void (*tap)(void *context, uint32_t stream, uint32_t y, const uint8_t *row, uint32_t pixel_stride);
    efm_port port;          /* needed when the package has external maps */
    /* Where weights are read that the package has behind a port; begin_write is never called. Null: a package all of
       which is addressable is copied from there, tile by tile. */
    efm_port weights;
    /* The number of this frame in a stream, for packages whose maps refer to the previous frame. 0 starts over;
       n promises that frame n - 1 was the last run and that nothing else has used the arena since. */
    uint32_t frame;
    /* Not 0: input() may be asked for the rows of an input again, from row 0 on, before the run is over. Packages that
       efm_model_repeats() need it. */
    int32_t repeats;
    efm_map_counters *maps; /* [efm_model_maps()], which the run fills: its counters, map by map */
    const efm_workers *workers;
} efm_host;

/* Bytes that one run moved, per memory. */
typedef struct efm_counters {
    uint64_t external_read_bytes;
    uint64_t external_write_bytes;
    uint64_t weight_read_bytes;
    uint64_t input_read_bytes;
    uint64_t output_write_bytes;
    uint64_t coded_bytes; /* the part of the external bytes that belongs to coded maps */
    uint64_t coded_values; /* values that those bytes stand for */
    uint64_t coded_rows;
    uint64_t raw_rows; /* rows of coded maps that were stored as they are */
    uint64_t pool_bytes; /* coded rows into and out of the page pool */
    uint64_t pool_values; /* values that those bytes stand for */
    uint64_t pool_pages; /* most pages in use at once */
    uint64_t capped_rows; /* rows of capped maps that had to be made coarser */
    uint64_t largest_shift; /* the most bits that a value of these rows lost; 0 without such rows */
    uint64_t reference_bytes; /* bytes of the previous frame in fast memory, read and written */
    uint64_t weight_port_bytes; /* the part of the weight bytes that crossed the weight port */
} efm_counters;

/* Bytes of the arena that efm_model_open() uses while it checks; the alignment of the arena's address. */
enum { EFM_OPEN_BYTES = 640, EFM_ARENA_ALIGNMENT = 8 };

/* Bytes of the package, from its start, that must be addressable: all of them, or, where its weights are read through
   a port, the part in front of those. `start` is the package's first EFM_START_BYTES, which nothing has checked: of a
   damaged package the result may be anything, also more than there is. */
enum { EFM_START_BYTES = 96 };
uint32_t efm_package_front_bytes(const uint8_t *start);

/* Checks everything that efm_run() relies on, so that later calls need no checks, and keeps a pointer to the package.
   Its time is proportional to the number of records; it does not read weights. `bytes` is the size of the package, or
   efm_package_front_bytes() where no more than that is addressable. `arena` must be aligned to
   EFM_ARENA_ALIGNMENT and at least EFM_OPEN_BYTES long; the caller may use it again afterwards. */
EFM_MUST_CHECK efm_status efm_model_open(efm_model *model, const uint8_t *package, uint32_t bytes, uint8_t *arena,
                                         uint32_t arena_bytes);

/* For machines with memory to spare: writes the weights once into `memory`, in the layout that the processor's kernels
   read fastest. `memory` must be 64-byte aligned and must not move. Outputs are the same with and without.
   efm_model_prepare_bytes() returns the bytes to provide, 0 if there is nothing to gain. efm_model_prepare() returns
   EFM_BAD_ARGUMENT for less memory. */
uint32_t efm_model_prepare_bytes(const efm_model *model);
EFM_MUST_CHECK efm_status efm_model_prepare(efm_model *model, uint8_t *memory, uint32_t bytes);

/* Reads the whole package and compares it with the checksums of the package and of its tiles. Use it for a package
   that has just arrived. Returns EFM_BAD_CHECKSUM if the package is damaged. Where only its front is addressable, that
   is looked at; tiles behind the weight port are compared whenever they are read. */
EFM_MUST_CHECK efm_status efm_model_verify(const efm_model *model);

/* Bytes of fast memory that efm_run() needs. */
uint32_t efm_model_arena_bytes(const efm_model *model);

/* Bytes of external memory that the port must provide, from address 0. */
uint32_t efm_model_external_bytes(const efm_model *model);

/* Addresses and sizes of the port's transfers are multiples of this, in bytes. */
uint32_t efm_model_alignment(const efm_model *model);

/* The same three of the weight port: bytes behind it, 0 for a package that needs none; where they begin in the file of
   the package, which is its address 0; and the alignment. */
uint32_t efm_model_weight_bytes(const efm_model *model);
uint32_t efm_model_weight_offset(const efm_model *model);
uint32_t efm_model_weight_alignment(const efm_model *model);

/* Scratch of each part of a firing that is shared out; builds with EFM_WITH_WORKERS have it. */
uint32_t efm_model_worker_bytes(const efm_model *model);

uint32_t efm_model_inputs(const efm_model *model);
uint32_t efm_model_outputs(const efm_model *model);

/* How often a run asks for all rows of an input once more. Where that is not 0, its host must say that it `repeats`. */
int efm_model_repeats(const efm_model *model);

/* Bytes of the rows of all inputs that a run asks for, each as often as it asks. */
uint64_t efm_model_input_bytes(const efm_model *model);
uint32_t efm_model_stages(const efm_model *model);
uint32_t efm_model_maps(const efm_model *model); /* that are stored */

/* Describes input or output number `index`. Returns EFM_BAD_ARGUMENT if there is none. */
EFM_MUST_CHECK efm_status efm_model_input(const efm_model *model, uint32_t index, efm_tensor *tensor);
EFM_MUST_CHECK efm_status efm_model_output(const efm_model *model, uint32_t index, efm_tensor *tensor);

/* Runs the model once. `arena` must be aligned to EFM_ARENA_ALIGNMENT and have arena_bytes bytes; the runtime does not
   touch memory outside them. After an error, the outputs pushed so far are invalid. */
EFM_MUST_CHECK efm_status efm_run(const efm_model *model, const efm_host *host, uint8_t *arena, uint32_t arena_bytes,
                                  efm_counters *counters);

/* The name of a status, for messages. */
const char *efm_status_name(efm_status status);

#ifdef __cplusplus
}
#endif

#endif
