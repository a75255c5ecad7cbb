#include "textflag.h"

// The kernel's calling convention: R0 is the number of the signal, R1 points
// to its siginfo_t, whose si_pid is at offset 16. Only registers that the
// convention lets a function destroy are used, and no stack.
TEXT ·sender(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CMPW $32, R0
	BHS  next
	MOVWU 16(R1), R9
	MOVD $·senders(SB), R10
	MOVWU R0, R11
	ADD  R11<<2, R10, R10
	MOVW R9, (R10)

next:
	MOVD ·runtimeHandler(SB), R9
	JMP  (R9)

GLOBL ·senderPC(SB), NOPTR|RODATA, $8
DATA ·senderPC(SB)/8, $·sender(SB)
