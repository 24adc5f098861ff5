/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin for QEMU 7 and 8: what a program executes, and reads in a range of addresses, in one call.
 *
 *     -plugin count.so,call=0x8a34,out=OUT[,from=0x21000000,to=0x22000000][,mark=0x9b10]
 *
 * `call` is the address of a call instruction of 4 bytes. Whenever it has returned, OUT holds "instructions bytes" of
 * that call: whatever was executed in it, the call counted, and what was read from `from` up to `to`, exclusive. A line
 * follows for each time that the instruction at `mark` was reached: the instructions before it. Debian has no package
 * of QEMU's header, so what is used of it is declared here. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void executed(unsigned cpu, void *with);
typedef void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *with);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated *callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed *callback,
                                            enum qemu_plugin_cb_flags flags, void *with);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *at,
                                                uint64_t value);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, accessed *callback,
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw which, void *with);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count, char **arguments);

enum { CALL_BYTES = 4, MOST_MARKS = 4096 };

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

static uint64_t instructions, read_bytes, call, from, to, mark;
static uint64_t marks[MOST_MARKS];
static unsigned marked;
static bool inside;
static const char *file;

static void on_call(unsigned cpu, void *with)
{
    (void)cpu, (void)with;
    instructions = read_bytes = marked = 0;
    inside = true;
}

static void on_return(unsigned cpu, void *with)
{
    (void)cpu, (void)with;
    FILE *out = inside ? fopen(file, "w") : NULL;
    if (out != NULL) {
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", instructions, read_bytes);
        for (unsigned i = 0; i < marked; i++) {
            fprintf(out, "%" PRIu64 "\n", marks[i]);
        }
        fclose(out);
    }
    inside = false;
}

static void on_mark(unsigned cpu, void *with)
{
    (void)cpu, (void)with;
    if (inside && marked < MOST_MARKS) {
        marks[marked++] = instructions;
    }
}

static void on_read(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *with)
{
    (void)cpu, (void)with;
    if (inside && address >= from && address < to && !qemu_plugin_mem_is_store(info)) {
        read_bytes += UINT64_C(1) << qemu_plugin_mem_size_shift(info);
    }
}

static void on_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        if (address == call || address == call + CALL_BYTES || (mark != 0 && address == mark)) {
            executed *callback = address == call ? on_call : address == mark ? on_mark : on_return;
            qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &instructions, 1);
        if (to > from) {
            qemu_plugin_register_vcpu_mem_cb(insn, on_read, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
        }
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count, char **arguments)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        const char *value = strchr(arguments[i], '=');
        if (value == NULL) {
            return -1;
        }
        value++;
        if (strncmp(arguments[i], "out=", 4) == 0) {
            file = strdup(value);
        } else {
            const char first = arguments[i][0];
            uint64_t *where = first == 'c' ? &call : first == 'f' ? &from : first == 'm' ? &mark : &to;
            *where = strtoull(value, NULL, 0);
        }
    }
    if (call == 0 || file == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
