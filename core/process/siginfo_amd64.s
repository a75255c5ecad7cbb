#include "textflag.h"

// The kernel's calling convention: DI is the number of the signal, SI points
// to its siginfo_t, whose si_pid is at offset 16. Only registers that the
// convention lets a function destroy are used, and no stack.
TEXT ·sender(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CMPL DI, $32
	JAE  next
	MOVL 16(SI), AX
	LEAQ ·senders(SB), CX
	MOVL DI, R8
	MOVL AX, (CX)(R8*4)

next:
	MOVQ ·runtimeHandler(SB), AX
	JMP  AX

GLOBL ·senderPC(SB), NOPTR|RODATA, $8
DATA ·senderPC(SB)/8, $·sender(SB)
