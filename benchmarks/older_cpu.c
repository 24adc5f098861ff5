/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD for _older_cpu.py: answers for CPUID instructions that were overwritten by UD2, without AVX-512, AMX and,
 * unless OLDER_CPU_KEEPS_AVXVNNI is set, AVX-VNNI. The program believes in an older processor. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

enum { UD2_BYTES = 2, FEATURES = 7 /* the leaf */ };

typedef struct answer {
    uint32_t a, b, c, d;
} answer;

static int keeps_avxvnni;

static answer ask(uint32_t leaf, uint32_t part)
{
    answer r = {.a = leaf, .c = part};
    __asm volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
    if (leaf == FEATURES && part == 0) {
        r.b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31); /* F .. VL */
        r.c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);                /* VBMI, VNNI, BITALG, .. */
        r.d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25); /* .., FP16, AMX */
    } else if (leaf == FEATURES && part == 1) {
        r.a &= ~((keeps_avxvnni ? 0 : 1u << 4) | 1u << 5 | 1u << 21 | 1u << 23); /* AVX-VNNI, BF16, AMX-FP16, IFMA */
        r.d &= ~(1u << 4 | 1u << 5 | 1u << 10);                                  /* AVX-VNNI-INT8, .., -INT16 */
    }
    return r;
}

static void on_ud2(int number, siginfo_t *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)g[REG_RIP];
    (void)info;
    if (code[0] != 0x0f || code[1] != 0x0b) {
        signal(number, SIG_DFL);
        return;
    }
    answer r = ask((uint32_t)g[REG_RAX], (uint32_t)g[REG_RCX]);
    g[REG_RAX] = r.a, g[REG_RBX] = r.b, g[REG_RCX] = r.c, g[REG_RDX] = r.d;
    g[REG_RIP] += UD2_BYTES;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = on_ud2, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    keeps_avxvnni = getenv("OLDER_CPU_KEEPS_AVXVNNI") != NULL;
    sigaction(SIGILL, &action, NULL);
}
