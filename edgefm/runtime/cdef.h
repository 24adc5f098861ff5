/* SPDX-License-Identifier: Apache-2.0 */
/* Kept by hand; the compiler checks it against the headers and fills in the dots. */
typedef enum efm_status { EFM_OK, ... } efm_status;

typedef struct efm_model { ...; } efm_model;

typedef struct efm_counters {
    uint64_t external_read_bytes;
    uint64_t external_write_bytes;
    uint64_t weight_read_bytes;
    uint64_t input_read_bytes;
    uint64_t output_write_bytes;
    uint64_t coded_bytes;
    uint64_t coded_values;
    uint64_t coded_rows;
    uint64_t raw_rows;
    uint64_t pool_bytes;
    uint64_t pool_values;
    uint64_t pool_pages;
    uint64_t capped_rows;
    uint64_t largest_shift;
    uint64_t reference_bytes;
    uint64_t weight_port_bytes;
} efm_counters;

typedef struct efm_port {
    int32_t (*begin_read)(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket);
    int32_t (*begin_write)(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket);
    int32_t (*wait)(void *port, uint32_t ticket);
    void *port;
} efm_port;

typedef struct efm_map_counters {
    uint64_t write_bytes;
    uint64_t read_bytes;
    uint32_t rows_written;
    uint32_t rows_read;
    uint32_t raw_rows;
    uint32_t capped_rows;
    uint32_t largest_shift;
} efm_map_counters;

typedef struct efm_late_port {
    uint8_t *memory;
    uint32_t bytes;
    ...;
} efm_late_port;

typedef struct efm_threads efm_threads;
efm_threads *efm_threads_start(uint32_t count);
uint32_t efm_threads_count(const efm_threads *threads);
void efm_threads_stop(efm_threads *threads);

typedef struct efm_pc {
    const efm_model *model;
    const uint8_t *const *inputs;
    uint8_t *const *outputs;
    uint8_t *const *taps;
    efm_map_counters *maps;
    efm_late_port external;
    efm_late_port weights;
    const efm_port *weight_port;
    uint32_t frame;
    efm_threads *threads;
    uint8_t *scratch;
    uint32_t scratch_bytes;
    uint64_t *products;
    ...;
} efm_pc;

enum { EFM_OPEN_BYTES, EFM_ARENA_ALIGNMENT, EFM_CANARY_BYTES, EFM_CANARY, ... };
efm_status efm_model_open(efm_model *model, const uint8_t *package, uint32_t bytes, uint8_t *arena,
                          uint32_t arena_bytes);
uint32_t efm_packings(void);
uint32_t efm_model_prepare_bytes(const efm_model *model);
efm_status efm_model_prepare(efm_model *model, uint8_t *memory, uint32_t bytes);
uint32_t efm_model_arena_bytes(const efm_model *model);
uint32_t efm_model_external_bytes(const efm_model *model);
uint32_t efm_model_weight_bytes(const efm_model *model);
uint32_t efm_model_weight_offset(const efm_model *model);
uint32_t efm_package_front_bytes(const uint8_t *start);
uint32_t efm_model_worker_bytes(const efm_model *model);
uint32_t efm_model_maps(const efm_model *model);
const char *efm_status_name(efm_status status);
efm_status efm_pc_run(efm_pc *pc, uint8_t *arena, uint32_t arena_bytes, efm_counters *counters);

typedef struct efm_codec_args {
    uint32_t width;
    uint32_t channels;
    int32_t zero_point;
    const uint8_t *tables;
    uint32_t tables_bytes;
    uint8_t *state;
    uint32_t y;
    const int8_t *reference;
} efm_codec_args;

typedef struct efm_codec_class {
    efm_status (*check)(const efm_codec_args *args);
    uint32_t (*state_bytes)(const efm_codec_args *args);
    void (*encode)(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity,
                   uint32_t *bytes);
    efm_status (*decode)(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row);
    void (*skip)(const efm_codec_args *args, const int8_t *row);
    ...;
} efm_codec_class;

const efm_codec_class *efm_codec_find(uint32_t id);
