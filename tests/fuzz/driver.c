/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer is to a fuzzer, for processors that have none: `driver SECONDS FOUND FILE...`.
 *
 * Runs every file, then changed ones until the time is over, always the same ones in the same order. Each piece of
 * memory lies between two pages that may not be touched and ends less than eight bytes before the second; those bytes
 * are compared when it is freed. An input that crashes, hangs or writes there goes to the file FOUND. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST = 8192, /* bytes of an input */
    MOST_FILES = 1024,
    MOST_CHANGES = 4,
    HANG = 30, /* seconds that one input may take */
    PAGE = 4096,
    MOST_BLOCKS = 64,
    SLACK = 0xA5 /* bytes after the end of a block */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

/* -- memory between fences --------------------------------------------------------------------------- */

typedef struct block {
    uint8_t *at;
    size_t bytes, alignment;
} block;

static block blocks[MOST_BLOCKS];

static size_t rounded(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

static block *find(const void *at)
{
    for (block *b = blocks; b < blocks + MOST_BLOCKS; b++) {
        if (b->at == at) {
            return b;
        }
    }
    abort();
}

static void *fenced(size_t alignment, size_t bytes)
{
    size_t whole = rounded(rounded(bytes, alignment), PAGE);
    uint8_t *pages = mmap(NULL, whole + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE) || mprotect(pages + PAGE + whole, PAGE, PROT_NONE)) {
        abort();
    }
    uint8_t *at = pages + PAGE + whole - rounded(bytes, alignment);
    memset(pages + PAGE, SLACK, whole);
    *find(NULL) = (block){at, bytes, alignment};
    return at;
}

void *__wrap_malloc(size_t bytes)
{
    return fenced(8, bytes > 0 ? bytes : 1);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fenced(alignment, bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    void *at = __wrap_malloc(count * bytes);
    memset(at, 0, count * bytes);
    return at;
}

void __wrap_free(void *at)
{
    if (at == NULL) {
        return;
    }
    block *b = find(at);
    size_t before = (uintptr_t)b->at % PAGE, after = rounded(b->bytes, b->alignment) - b->bytes;
    for (size_t i = 0; i < before + after; i++) {
        if ((i < before ? b->at[-1 - (long)i] : b->at[b->bytes + i - before]) != SLACK) {
            abort();
        }
    }
    munmap(b->at - before - PAGE, rounded(rounded(b->bytes, b->alignment), PAGE) + 2 * PAGE);
    b->at = NULL;
}

/* -- inputs ------------------------------------------------------------------------------------------ */

static uint8_t input[LONGEST];
static size_t input_bytes;
static const char *found;
static uint32_t state = 1;

static uint32_t next(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

/* One change of a few bytes, or of the length. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    static const uint8_t EDGES[] = {0, 1, 0x7f, 0x80, 0xff};
    if (size == 0) {
        return 0;
    }
    uint32_t at = next((uint32_t)size), kind = next(8), bytes = 1 + next(4);
    bytes = bytes > size - at ? (uint32_t)(size - at) : bytes;
    if (kind == 0) {
        return 1 + next((uint32_t)(size < most ? size + 1 : most)); /* the bytes of an input before it, or fewer */
    }
    for (uint32_t i = 0; i < bytes; i++) {
        data[at + i] = (uint8_t)(kind == 1   ? data[next((uint32_t)size)]
                                 : kind < 4  ? EDGES[next(sizeof EDGES)]
                                 : kind == 4 ? next(256)
                                             : data[at + i] ^ 1u << next(8));
    }
    return size;
}

static void fault(int signal)
{
    int file = open(found, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, input, input_bytes) < 0) {
        _exit(3);
    }
    _exit(128 + signal);
}

static void catch_faults(void)
{
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM};
    struct sigaction action = {.sa_handler = fault};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
        sigaction(SIGNALS[i], &action, NULL);
    }
}

static void load(const char *path)
{
    int file = open(path, O_RDONLY);
    ssize_t bytes = file < 0 ? -1 : read(file, input, sizeof input);
    if (bytes < 0) {
        perror(path);
        exit(2);
    }
    close(file);
    input_bytes = (size_t)bytes;
}

static void run_input(void)
{
    alarm(HANG);
    LLVMFuzzerTestOneInput(input, input_bytes);
}

int main(int count, char **arguments)
{
    if (count < 4 || count > MOST_FILES) {
        return 2;
    }
    time_t end = time(NULL) + atoi(arguments[1]);
    uint32_t executions = 0;
    found = arguments[2];
    catch_faults();
    for (int i = 3; i < count; i++, executions++) {
        load(arguments[i]);
        run_input();
    }
    for (; time(NULL) < end; executions++) {
        load(arguments[3 + next((uint32_t)count - 3)]);
        for (uint32_t changes = 1 + next(MOST_CHANGES); changes > 0; changes--) {
            input_bytes = LLVMFuzzerCustomMutator(input, input_bytes, sizeof input, next(UINT32_MAX));
        }
        run_input();
    }
    printf("%u executions\n", executions);
    return 0;
}
