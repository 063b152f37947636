/* What a library that asks the processor for its instructions is told, where `held.py` has put an instruction that no
 * processor has in place of `cpuid`: the truth, less AVX-512, AMX and AVX-VNNI. Preloaded. */

#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

/* UD0; as long as `cpuid`. */
static const uint8_t MARK[2] = {0x0f, 0xff};

/* Of leaf 7, sub-leaf 0: avx512f, dq, ifma, pf, er, cd, bw, vl; vbmi, vbmi2, vnni, bitalg, vpopcntdq; 4vnniw, 4fmaps,
 * vp2intersect, amx-bf16, avx512_fp16, amx-tile, amx-int8. */
static const uint32_t WIDE_EBX = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const uint32_t WIDE_ECX = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const uint32_t WIDE_EDX = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
/* Of sub-leaf 1: avx_vnni, avx512_bf16, amx-fp16; avx-vnni-int8, avx-ne-convert, avx-vnni-int16, avx10. */
static const uint32_t WIDE_1_EAX = 1u << 4 | 1u << 5 | 1u << 21;
static const uint32_t WIDE_1_EDX = 1u << 4 | 1u << 5 | 1u << 10 | 1u << 19;

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)info;
    if (memcmp((void *)registers[REG_RIP], MARK, sizeof MARK) != 0) {
        signal(number, SIG_DFL); /* and it comes again */
        return;
    }
    uint32_t leaf = registers[REG_RAX], sub_leaf = registers[REG_RCX];
    uint32_t eax, ebx, ecx, edx;
    __cpuid_count(leaf, sub_leaf, eax, ebx, ecx, edx);
    if (leaf == 7 && sub_leaf == 0) {
        ebx &= ~WIDE_EBX;
        ecx &= ~WIDE_ECX;
        edx &= ~WIDE_EDX;
    } else if (leaf == 7 && sub_leaf == 1) {
        eax &= ~WIDE_1_EAX;
        edx &= ~WIDE_1_EDX;
    }
    registers[REG_RAX] = eax;
    registers[REG_RBX] = ebx;
    registers[REG_RCX] = ecx;
    registers[REG_RDX] = edx;
    registers[REG_RIP] += sizeof MARK;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGILL, &action, 0);
}
