/* SPDX-License-Identifier: Apache-2.0 */
/* A board that is a process of this machine; its flash and external memory are files where asked. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "fault.h"
#include "line.h"

#ifndef EFM_BOARD_NAME
#define EFM_BOARD_NAME "sim"
#endif

enum { FLIGHTS = 64, MIB = 1 << 20, WEIGHTS = 64 /* alignment of prepared ones */ };

/* A timer for tests: LINE advances by 1 whenever it is read and by the bytes sent in between. */
typedef enum clock_kind { REAL, LINE, STUCK } clock_kind;

typedef struct flight {
    bool busy, reads;
    uint32_t address, bytes;
    uint8_t *at;
} flight;

typedef struct sim {
    efm_line line;
    clock_kind clock;
    uint64_t line_ticks;
    int pin; /* the file that is its marker pin */
    bool restart;
    uint8_t *flash, *external;
    efm_fault fault;   /* of external memory */
    uint8_t *prepared; /* the last model's weights as the kernels read them fastest, or null */
    flight flight[FLIGHTS];
    efm_board board;
} sim;

/* -- memories ------------------------------------------------------------------------------------- */

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* Memory backed by the file `path` (grown to `bytes` of `fill`), or by no file when `path` is null. */
static uint8_t *map_memory(const char *path, uint32_t bytes, uint8_t fill)
{
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct stat now = {0};
    if (path != NULL && (fd < 0 || fstat(fd, &now) != 0 || ftruncate(fd, (off_t)bytes) != 0)) {
        fail(path);
    }
    void *at =
        mmap(NULL, bytes + !bytes, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        fail(path != NULL ? path : "memory");
    }
    if (now.st_size < (off_t)bytes) {
        memset((uint8_t *)at + now.st_size, fill, bytes - (size_t)now.st_size);
    }
    return at;
}

static int32_t flash_erase(void *context, uint32_t offset)
{
    sim *s = context;
    const efm_flash *flash = &s->board.flash;
    if (offset >= flash->bytes || offset % flash->erase_bytes != 0) {
        return -1;
    }
    memset(s->flash + offset, 0xff, flash->erase_bytes);
    return 0;
}

static int32_t flash_program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    sim *s = context;
    const efm_flash *flash = &s->board.flash;
    if (offset > flash->bytes || bytes > flash->bytes - offset || offset % flash->program_bytes != 0
        || bytes % flash->program_bytes != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        s->flash[offset + i] &= from[i];
    }
    return 0;
}

/* Bytes move in wait(), as late as any DMA might. */
static int32_t begin(sim *s, bool reads, uint32_t address, uint8_t *at, uint32_t bytes, uint32_t *ticket)
{
    uint32_t alignment = s->board.external_alignment;
    if (address > s->board.external_bytes || bytes > s->board.external_bytes - address || address % alignment != 0
        || bytes % alignment != 0 || efm_fault_refuses(s->fault, bytes)) {
        return -1;
    }
    for (*ticket = 0; *ticket < FLIGHTS; ++*ticket) {
        if (!s->flight[*ticket].busy) {
            s->flight[*ticket] = (flight){true, reads, address, bytes, at};
            return 0;
        }
    }
    return -1;
}

static int32_t begin_read(void *context, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    return begin(context, true, address, to, bytes, ticket);
}

static int32_t begin_write(void *context, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    return begin(context, false, address, (uint8_t *)(uintptr_t)from, bytes, ticket);
}

static int32_t finish(void *context, uint32_t ticket)
{
    sim *s = context;
    if (ticket >= FLIGHTS || !s->flight[ticket].busy) {
        return -1;
    }
    flight *one = &s->flight[ticket];
    bool alone = true;
    one->busy = false;
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        alone = alone && !s->flight[i].busy;
    }
    efm_fault_move(s->fault, one->reads, s->external, one->address, one->at, one->bytes, alone);
    return 0;
}

/* -- line, timer, reset --------------------------------------------------------------------------- */

static int32_t read_line(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    sim *s = context;
    return s->restart ? -1 : efm_line_read(&s->line, bytes, room, wait);
}

static void write_line(void *context, const uint8_t *bytes, uint32_t count)
{
    sim *s = context;
    s->line_ticks += count;
    efm_line_write(&s->line, bytes, count);
}

static uint64_t ticks(void *context)
{
    sim *s = context;
    struct timespec now;
    if (s->clock == LINE) {
        return ++s->line_ticks;
    }
    if (s->clock == STUCK || clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* The marker pin: the time of every toggle, 8 bytes each, for meters that are emulated too. */
static void mark(void *context, uint32_t stage)
{
    const sim *s = context;
    struct timespec now = {0};
    uint8_t at[8];
    (void)stage;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (uint32_t i = 0; i < sizeof at; i++) {
        at[i] = (uint8_t)(nanoseconds >> 8 * i);
    }
    if (write(s->pin, at, sizeof at) != (ssize_t)sizeof at) {
        fail("pin");
    }
}

/* Memory enough for the last package's weights; without it they are read as they lie. */
static void prepare(void *context, efm_model *model, bool again)
{
    sim *s = context;
    if (again) {
        model->prepared = s->prepared;
        return;
    }
    uint32_t bytes = efm_model_prepare_bytes(model);
    free(s->prepared);
    s->prepared = bytes == 0 ? NULL : aligned_alloc(WEIGHTS, ((size_t)bytes + WEIGHTS - 1) / WEIGHTS * WEIGHTS);
    if (s->prepared != NULL && efm_model_prepare(model, s->prepared, bytes) != EFM_OK) {
        fail("weights");
    }
}

static void reset(void *context)
{
    sim *s = context;
    s->restart = true;
    efm_line_drop(&s->line);
}

/* -- options -------------------------------------------------------------------------------------- */

typedef struct options {
    const char *name, *flash, *external, *serial, *tcp, *clock, *pin, *fault;
    bool pty;
    uint32_t fast_bytes, external_bytes, flash_bytes, erase_bytes, program_bytes, results_bytes, alignment, baud;
} options;

static const struct option LONG[] = {{"name", required_argument, NULL, 'n'},
                                     {"tcp", required_argument, NULL, 't'},
                                     {"pty", no_argument, NULL, 'p'},
                                     {"serial", required_argument, NULL, 's'},
                                     {"baud", required_argument, NULL, 'b'},
                                     {"fast-bytes", required_argument, NULL, 'a'},
                                     {"external", required_argument, NULL, 'e'},
                                     {"external-bytes", required_argument, NULL, 'E'},
                                     {"alignment", required_argument, NULL, 'A'},
                                     {"flash", required_argument, NULL, 'f'},
                                     {"flash-bytes", required_argument, NULL, 'F'},
                                     {"erase-bytes", required_argument, NULL, 'r'},
                                     {"program-bytes", required_argument, NULL, 'P'},
                                     {"results-bytes", required_argument, NULL, 'R'},
                                     {"clock", required_argument, NULL, 'c'},
                                     {"pin", required_argument, NULL, 'm'},
                                     {"fault", required_argument, NULL, 'x'},
                                     {NULL, 0, NULL, 0}};

static const char USAGE[] =
    "  --name NAME               what the board calls itself\n"
    "  --tcp [all:]PORT          listen there (0: any port) instead of standard input and output\n"
    "  --pty                     make a pseudo-terminal\n"
    "  --serial DEVICE           use a serial device, with --baud N\n"
    "  --fast-bytes N            arena\n"
    "  --external FILE           keep external memory in a file\n"
    "  --external-bytes N        0: none; transfers aligned to --alignment N\n"
    "  --flash FILE              keep the model store in a file\n"
    "  --flash-bytes N           with --erase-bytes N, --program-bytes N\n"
    "  --results-bytes N         for outputs\n"
    "  --clock real|line|stuck   the timer\n"
    "  --fault KIND              of external memory, for tests (fault.h)\n"
    "  --pin FILE                the marker pin: when it toggled, u64 nanoseconds of the monotonic clock\n";

static uint32_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);
    if (*text == 0 || *end != 0 || value > INT32_MAX) {
        fprintf(stderr, "got %s, expected a number of bytes\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

static void set(options *o, int letter, char **argv)
{
    switch (letter) {
    case 'n':
        o->name = optarg;
        break;
    case 't':
        o->tcp = optarg;
        break;
    case 'p':
        o->pty = true;
        break;
    case 's':
        o->serial = optarg;
        break;
    case 'b':
        o->baud = number(optarg);
        break;
    case 'a':
        o->fast_bytes = number(optarg);
        break;
    case 'e':
        o->external = optarg;
        break;
    case 'E':
        o->external_bytes = number(optarg);
        break;
    case 'A':
        o->alignment = number(optarg);
        break;
    case 'f':
        o->flash = optarg;
        break;
    case 'F':
        o->flash_bytes = number(optarg);
        break;
    case 'r':
        o->erase_bytes = number(optarg);
        break;
    case 'P':
        o->program_bytes = number(optarg);
        break;
    case 'R':
        o->results_bytes = number(optarg);
        break;
    case 'c':
        o->clock = optarg;
        break;
    case 'x':
        o->fault = optarg;
        break;
    case 'm':
        o->pin = optarg;
        break;
    default:
        fprintf(stderr, "usage: %s [OPTION…]\n%s", argv[0], USAGE);
        exit(2);
    }
}

static void open_line(sim *s, const options *o)
{
    char name[EFM_LINE_NAME_BYTES];
    bool all = o->tcp != NULL && strncmp(o->tcp, "all:", 4) == 0, well = true;
    if (o->tcp != NULL) {
        well = efm_line_tcp(&s->line, (uint16_t)number(all ? o->tcp + 4 : o->tcp), all, name);
    } else if (o->pty) {
        well = efm_line_pty(&s->line, name);
    } else if (o->serial != NULL) {
        well = efm_line_serial(&s->line, o->serial, o->baud, name);
    } else {
        efm_line_standard(&s->line);
    }
    if (!well) {
        exit(2);
    }
    if (s->line.in != STDIN_FILENO) {
        puts(name); /* the program that started the board learns where it is */
        fflush(stdout);
    }
}

static void make_board(sim *s, const options *o)
{
    uint8_t *arena = map_memory(NULL, o->fast_bytes, 0), *results = map_memory(NULL, o->results_bytes, 0);
    s->external = map_memory(o->external, o->external_bytes, 0);
    s->flash = map_memory(o->flash, o->flash_bytes, 0xff);
    s->clock = strcmp(o->clock, "line") == 0 ? LINE : strcmp(o->clock, "stuck") == 0 ? STUCK : REAL;
    s->board = (efm_board){.name = o->name,
                           .unit = EFM_TICKS_MICROSECONDS,
                           .ticks_per_second = 1000000,
                           .arena = arena,
                           .arena_bytes = o->fast_bytes,
                           .results = results,
                           .results_bytes = o->results_bytes,
                           .external_bytes = o->external_bytes,
                           .external_alignment = o->alignment,
                           .flash = {.at = s->flash,
                                     .bytes = o->flash_bytes,
                                     .erase_bytes = o->erase_bytes,
                                     .program_bytes = o->program_bytes,
                                     .erase = flash_erase,
                                     .program = flash_program,
                                     .context = s},
                           .context = s,
                           .read = read_line,
                           .write = write_line,
                           .ticks = ticks,
                           .reset = reset,
                           .prepare = prepare};
    if (o->pin != NULL) {
        s->pin = open(o->pin, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (s->pin < 0) {
            fail(o->pin);
        }
        s->board.mark = mark;
    }
    if (!efm_fault_named(o->fault, &s->fault)) {
        fprintf(stderr, "got --fault %s, expected a word of fault.h\n", o->fault);
        exit(2);
    }
    if (o->external_bytes != 0) {
        s->board.external = (efm_port){begin_read, begin_write, finish, s};
    }
}

int main(int argc, char **argv)
{
    static sim s;
    static efm_agent agent;
    options o = {.name = EFM_BOARD_NAME,
                 .clock = "real",
                 .fault = "none",
                 .fast_bytes = MIB,
                 .external_bytes = 16 * MIB,
                 .alignment = 1,
                 .flash_bytes = 16 * MIB,
                 .erase_bytes = 4096,
                 .program_bytes = 16,
                 .results_bytes = MIB,
                 .baud = 115200};
    for (int letter; (letter = getopt_long(argc, argv, "", LONG, NULL)) != -1;) {
        set(&o, letter, argv);
    }
    signal(SIGPIPE, SIG_IGN);
    make_board(&s, &o);
    open_line(&s, &o);
    do {
        s.restart = false;
        efm_agent_serve(&agent, &s.board);
    } while (s.restart);
    return 0;
}
