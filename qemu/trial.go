package qemu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Trial returns a whole program for the architecture, a hundred and some bytes, whose exit code is the number of
// its arguments, itself included: to see whether this machine, or an emulator, runs such programs and hands on
// their arguments. It is nil for an architecture that has none here.
func (a Arch) Trial() []byte {
	code := exitArgc(a.ELF.Machine)
	if code == nil {
		return nil
	}
	const base, align = 0x400000, 0x10000 // pages of 64 KiB exist
	var b bytes.Buffer
	order := a.ELF.order()
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(a.ELF.Class), byte(a.ELF.Data), byte(elf.EV_CURRENT)}
	var flags uint32
	if a.ELF.Machine == elf.EM_ARM {
		flags = 0x05000000 // EF_ARM_EABI_VER5
	}
	var header, segment any
	if a.ELF.Class == elf.ELFCLASS64 {
		size := uint64(64 + 56 + len(code))
		header = elf.Header64{
			Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(a.ELF.Machine), Version: 1, Entry: base + 64 + 56,
			Phoff: 64, Flags: flags, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
		}
		segment = elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: align,
		}
	} else {
		size := uint32(52 + 32 + len(code))
		header = elf.Header32{
			Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(a.ELF.Machine), Version: 1, Entry: base + 52 + 32,
			Phoff: 52, Flags: flags, Ehsize: 52, Phentsize: 32, Phnum: 1, Shentsize: 40,
		}
		segment = elf.Prog32{
			Type: uint32(elf.PT_LOAD), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: align,
		}
	}
	for _, part := range []any{header, segment, code} {
		_ = binary.Write(&b, order, part) // into memory, of fixed size: it does not fail
	}
	return b.Bytes()
}

// exitArgc is machine code for exit(argc). At the entry of a program argc is what the stack pointer points at
// (System V ABI, "Process Initialization").
func exitArgc(m elf.Machine) []byte {
	switch m {
	case elf.EM_X86_64:
		return []byte{
			0x8b, 0x3c, 0x24, // mov edi, [rsp]
			0xb8, 0x3c, 0x00, 0x00, 0x00, // mov eax, 60
			0x0f, 0x05, // syscall
		}
	case elf.EM_386:
		return []byte{
			0x8b, 0x1c, 0x24, // mov ebx, [esp]
			0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1
			0xcd, 0x80, // int 0x80
		}
	case elf.EM_AARCH64:
		return []byte{
			0xe0, 0x03, 0x40, 0xb9, // ldr w0, [sp]
			0xa8, 0x0b, 0x80, 0xd2, // mov x8, #93
			0x01, 0x00, 0x00, 0xd4, // svc #0
		}
	case elf.EM_ARM:
		return []byte{
			0x00, 0x00, 0x9d, 0xe5, // ldr r0, [sp]
			0x01, 0x70, 0xa0, 0xe3, // mov r7, #1
			0x00, 0x00, 0x00, 0xef, // svc #0
		}
	case elf.EM_RISCV:
		return []byte{
			0x03, 0x25, 0x01, 0x00, // lw a0, 0(sp)
			0x93, 0x08, 0xd0, 0x05, // li a7, 93
			0x73, 0x00, 0x00, 0x00, // ecall
		}
	}
	return nil
}
