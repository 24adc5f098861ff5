/* SPDX-License-Identifier: Apache-2.0 */
/* Under newlib: a test's main() on an emulated Cortex-M. startup.c calls main(), the linker (--wrap=main) gives it
 * this one; standard output and the exit status go to the machine that emulates. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { SYS_OPEN = 1, SYS_WRITE = 5, SYS_EXIT_EXTENDED = 0x20, EXITED = 0x20026, HEAP_BYTES = 2 * 1024 * 1024 };

int __real_main(void);
int __wrap_main(void);
int _write(int file, const char *bytes, int count);
void *_sbrk(ptrdiff_t more);
void _exit(int status);
int posix_memalign(void **at, size_t alignment, size_t bytes);

static uintptr_t call(uintptr_t operation, const void *arguments)
{
    register uintptr_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

int _write(int file, const char *bytes, int count)
{
    static uintptr_t console;
    static const char name[] = ":tt";
    if (console == 0) {
        console = call(SYS_OPEN, (uintptr_t[]){(uintptr_t)name, 4, sizeof name - 1});
    }
    (void)file;
    return count - (int)call(SYS_WRITE, (uintptr_t[]){console, (uintptr_t)bytes, (uintptr_t)count});
}

void *_sbrk(ptrdiff_t more)
{
    static char heap[HEAP_BYTES], *end = heap;
    char *old = end;
    if (more > heap + HEAP_BYTES - end) {
        return (void *)-1;
    }
    end += more;
    return old;
}

/* Newlib lacks it. */
int posix_memalign(void **at, size_t alignment, size_t bytes)
{
    *at = memalign(alignment, bytes);
    return *at == NULL;
}

void _exit(int status)
{
    call(SYS_EXIT_EXTENDED, (uintptr_t[]){EXITED, (uintptr_t)status});
    for (;;) {
    }
}

int __wrap_main(void)
{
    exit(__real_main());
}
