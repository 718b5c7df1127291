package asm

import (
	"debug/elf"
	"encoding/binary"
)

// A call is a system call by its name.
type call int

const (
	write call = iota
	uname
	openat
	unlinkat
	execve
	ppoll
	exit // of the whole process: exit_group
)

// A machine is how the instructions of an architecture are encoded. "The cursor" is a register that points at what the
// kernel put on the stack (System V ABI, "Process Initialization": argc, argv, null, envp, null), "the string" the
// register of the second argument of a system call, which is where the strings to print go.
type machine struct {
	class elf.Class
	flags uint32 // of the ELF header
	calls [exit + 1]int

	set    func(register int, value uint32) []byte // of the same length for every value
	call   []byte
	result []byte // what a system call returned becomes the first argument
	start  []byte // the cursor is the stack pointer
	next   []byte // the string is the word at the cursor, which moves on
	length []byte // the third argument is the length of the string
	// ifZero jumps where the string is a null pointer; off counts from its own first byte, as that of jump does.
	ifZero, jump func(off int) []byte
}

// headers is the size of the ELF header and one program header.
func (m machine) headers() int {
	if m.class == elf.ELFCLASS64 {
		return 64 + 56
	}
	return 52 + 32
}

// words are instructions of four bytes, little-endian.
func words(all ...uint32) []byte {
	var b []byte
	for _, w := range all {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func with32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// machines is the table. The calls are those of each architecture's syscall.tbl, the last two of the generic one.
func machines() map[elf.Machine]machine {
	generic := [...]int{write: 64, uname: 160, openat: 56, unlinkat: 35, execve: 221, ppoll: 73, exit: 94}
	return map[elf.Machine]machine{
		elf.EM_X86_64: {
			class: elf.ELFCLASS64,
			calls: [...]int{write: 1, uname: 63, openat: 257, unlinkat: 263, execve: 59, ppoll: 271, exit: 231},
			set: func(r int, v uint32) []byte { // mov rdi, rsi, rdx, r10, rax, imm32 (sign extended)
				return with32([][]byte{{0x48, 0xc7, 0xc7}, {0x48, 0xc7, 0xc6}, {0x48, 0xc7, 0xc2}, {0x49, 0xc7, 0xc2}, {0x48, 0xc7, 0xc0}}[r], v)
			},
			call:   []byte{0x0f, 0x05},                               // syscall
			result: []byte{0x48, 0x89, 0xc7},                         // mov rdi, rax
			start:  []byte{0x48, 0x89, 0xe3},                         // mov rbx, rsp
			next:   []byte{0x48, 0x8b, 0x33, 0x48, 0x83, 0xc3, 0x08}, // mov rsi, [rbx]; add rbx, 8
			length: []byte{
				0x31, 0xd2, // xor edx, edx
				0x80, 0x3c, 0x16, 0x00, // 1: cmp byte [rsi+rdx], 0
				0x74, 0x04, // je 2f
				0xff, 0xc2, // inc edx
				0xeb, 0xf6, // jmp 1b; 2:
			},
			ifZero: func(off int) []byte { return with32([]byte{0x48, 0x85, 0xf6, 0x0f, 0x84}, uint32(off-9)) }, // test rsi, rsi; je
			jump:   func(off int) []byte { return with32([]byte{0xe9}, uint32(off-5)) },
		},
		elf.EM_386: {
			class: elf.ELFCLASS32,
			calls: [...]int{write: 4, uname: 122, openat: 295, unlinkat: 301, execve: 11, ppoll: 309, exit: 252},
			set: func(r int, v uint32) []byte { // mov ebx, ecx, edx, esi, eax, imm32
				return with32([][]byte{{0xbb}, {0xb9}, {0xba}, {0xbe}, {0xb8}}[r], v)
			},
			call:   []byte{0xcd, 0x80},                   // int 0x80
			result: []byte{0x89, 0xc3},                   // mov ebx, eax
			start:  []byte{0x89, 0xe7},                   // mov edi, esp
			next:   []byte{0x8b, 0x0f, 0x83, 0xc7, 0x04}, // mov ecx, [edi]; add edi, 4
			length: []byte{
				0x31, 0xd2, // xor edx, edx
				0x80, 0x3c, 0x11, 0x00, // 1: cmp byte [ecx+edx], 0
				0x74, 0x03, // je 2f
				0x42,       // inc edx
				0xeb, 0xf7, // jmp 1b; 2:
			},
			ifZero: func(off int) []byte { return with32([]byte{0x85, 0xc9, 0x0f, 0x84}, uint32(off-8)) }, // test ecx, ecx; je
			jump:   func(off int) []byte { return with32([]byte{0xe9}, uint32(off-5)) },
		},
		elf.EM_AARCH64: {
			class: elf.ELFCLASS64,
			calls: generic,
			set: func(r int, v uint32) []byte { // x0 to x3, x8
				rd := []uint32{0, 1, 2, 3, 8}[r]
				return words(0x52800000|v&0xffff<<5|rd, 0x72a00000|v>>16<<5|rd, 0x93407c00|rd<<5|rd) // movz; movk lsl 16; sxtw
			},
			call:  words(0xd4000001), // svc #0
			start: words(0x910003f3), // mov x19, sp
			next:  words(0xf8408661), // ldr x1, [x19], #8
			length: words(
				0xaa0103e9, // mov x9, x1
				0x3840152a, // 1: ldrb w10, [x9], #1
				0x35ffffea, // cbnz w10, 1b
				0xcb010122, // sub x2, x9, x1
				0xd1000442, // sub x2, x2, #1
			),
			ifZero: func(off int) []byte { return words(0xb4000001 | uint32(off/4)&0x7ffff<<5) }, // cbz x1
			jump:   func(off int) []byte { return words(0x14000000 | uint32(off/4)&0x3ffffff) },  // b
		},
		elf.EM_ARM: {
			class: elf.ELFCLASS32,
			flags: 0x05000000, // EF_ARM_EABI_VER5
			calls: [...]int{write: 4, uname: 122, openat: 322, unlinkat: 328, execve: 11, ppoll: 336, exit: 248},
			set: func(r int, v uint32) []byte { // r0 to r3, r7; of ARMv6 on: there is no movw
				return words(0xe59f0000|[]uint32{0, 1, 2, 3, 7}[r]<<12, 0xea000000, v) // ldr rd, [pc]; b over the value
			},
			call:  words(0xef000000), // svc #0
			start: words(0xe1a0400d), // mov r4, sp
			next:  words(0xe4941004), // ldr r1, [r4], #4
			length: words(
				0xe1a05001, // mov r5, r1
				0xe4d56001, // 1: ldrb r6, [r5], #1
				0xe3560000, // cmp r6, #0
				0x1afffffc, // bne 1b
				0xe0452001, // sub r2, r5, r1
				0xe2422001, // sub r2, r2, #1
			),
			ifZero: func(off int) []byte { return words(0xe3510000, 0x0a000000|uint32((off-4-8)/4)&0xffffff) }, // cmp r1, #0; beq
			jump:   func(off int) []byte { return words(0xea000000 | uint32((off-8)/4)&0xffffff) },             // b
		},
		elf.EM_RISCV: {
			class: elf.ELFCLASS64,
			calls: generic,
			set: func(r int, v uint32) []byte { // a0 to a3, a7
				rd := []uint32{10, 11, 12, 13, 17}[r] << 7
				high := (v + 0x800) &^ 0xfff                    // so that the low part, which has a sign, is added
				return words(high|rd|0x37, v<<20|rd<<8|rd|0x13) // lui; addi
			},
			call:  words(0x00000073),             // ecall
			start: words(0x00010413),             // mv s0, sp
			next:  words(0x00043583, 0x00840413), // ld a1, 0(s0); addi s0, s0, 8
			length: words(
				0x00058293, // mv t0, a1
				0x0002c303, // 1: lbu t1, 0(t0)
				0x00128293, // addi t0, t0, 1
				0xfe031ce3, // bnez t1, 1b
				0x40b28633, // sub a2, t0, a1
				0xfff60613, // addi a2, a2, -1
			),
			ifZero: func(off int) []byte { // beqz a1
				o := uint32(off)
				return words(0x00058063 | o>>12&1<<31 | o>>5&0x3f<<25 | o>>1&0xf<<8 | o>>11&1<<7)
			},
			jump: func(off int) []byte { // j
				o := uint32(off)
				return words(0x0000006f | o>>20&1<<31 | o>>1&0x3ff<<21 | o>>11&1<<20 | o>>12&0xff<<12)
			},
		},
	}
}
