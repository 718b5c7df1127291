// Package asm makes tiny programs for tests, for every architecture that xtoo knows, without a compiler: static ELF
// files of less than a thousand bytes that print, say who and where they are, write a file, become another program.
// They need no runtime, so that an emulator that fails to run them fails for a reason of its own; and a test that
// wants a program of another architecture need not compile the libraries of a language for it.
//
//	0x400000  ELF header, one program header (read, write and execute)
//	          code: a preamble, then the steps one after the other, then exit(0)
//	          data: strings, and arrays of pointers to them
//	          a buffer for uname(2), not in the file
//
// What differs between architectures is in one table, [machines]: the numbers of the system calls, and how the dozen
// instructions that the steps are made of are encoded.
package asm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// A Step is something that a program does.
type Step func(p *program)

// Print prints a text.
func Print(text string) Step {
	return func(p *program) { p.call(write, 1, p.data(text), uint32(len(text))) }
}

// Machine prints what uname(2) calls the machine, and ends the line.
func Machine() Step {
	return func(p *program) {
		p.call(uname, p.buffer)
		p.set(1, p.buffer+4*utsField)
		p.printString()
	}
}

// Given prints the arguments, the program's own name among them, and then the environment, each on a line. It can be
// used once.
func Given() Step {
	return func(p *program) {
		for range 2 { // argv and envp follow each other, each ended by a null pointer
			again := len(p.code)
			p.emit(p.m.next)
			leave := len(p.code)
			p.emit(p.m.ifZero(0))
			p.printString()
			p.emit(p.m.jump(again - len(p.code)))
			copy(p.code[leave:], p.m.ifZero(len(p.code)-leave))
		}
	}
}

// WriteFile writes a text into a file, which is made with mode 0644 or emptied.
func WriteFile(path, text string) Step {
	const flags, mode = 0o1 | 0o100 | 0o1000, 0o644 // O_WRONLY, O_CREAT, O_TRUNC: the same everywhere
	return func(p *program) {
		p.call(openat, cwd, p.string(path), flags, mode)
		p.emit(p.m.result) // is the first argument of the next
		p.set(1, p.data(text))
		p.set(2, uint32(len(text)))
		p.set(number, uint32(p.m.calls[write]))
		p.emit(p.m.call)
	}
}

// Rmdir removes an empty directory.
func Rmdir(path string) Step {
	const removeDir = 0x200 // AT_REMOVEDIR
	return func(p *program) { p.call(unlinkat, cwd, p.string(path), removeDir) }
}

// Become executes another program, with arguments and an empty environment. Where that fails, the next step comes.
func Become(path string, args ...string) Step {
	return func(p *program) {
		var argv []uint32
		for _, a := range append([]string{path}, args...) {
			argv = append(argv, p.string(a))
		}
		p.call(execve, p.string(path), p.pointers(argv), 0)
	}
}

// Wait waits for a signal.
func Wait() Step {
	return func(p *program) { p.call(ppoll, 0, 0, 0, 0) }
}

// Exit ends the program.
func Exit(code int) Step {
	return func(p *program) { p.call(exit, uint32(code)) }
}

// Program is a program for a machine that does the steps and exits with 0. It fails for a machine without a row in the
// table.
func Program(machine elf.Machine, steps ...Step) ([]byte, error) {
	m, ok := machines()[machine]
	if !ok {
		return nil, fmt.Errorf("no programs for %v", machine)
	}
	// Twice: how long the code is, and so where the data are, is known after the first time only.
	first := assemble(m, 0, 0, steps)
	start := uint32(base) + uint32(m.headers())
	data := start + uint32(len(first.code))
	p := assemble(m, data, data+uint32(len(first.text)), steps)
	return p.elf(machine), nil
}

const (
	base     = 0x400000
	align    = 0x10000 // pages of 64 KiB exist
	utsField = 65      // bytes of one of the six fields of struct new_utsname
	utsSize  = 6 * utsField
	// number stands, where a register is set, for the one with the number of the system call.
	number = 4
)

// cwd is AT_FDCWD.
var cwd = ^uint32(99)

// A program is one being assembled.
type program struct {
	m          machine
	code, text []byte
	at         uint32            // the address of text
	buffer     uint32            // of uname's answer
	known      map[string]uint32 // addresses of what is in text
}

func assemble(m machine, at, buffer uint32, steps []Step) *program {
	p := &program{m: m, at: at, buffer: buffer, known: map[string]uint32{}}
	p.emit(m.start)
	p.emit(m.next) // argc: behind it is argv
	for _, step := range steps {
		step(p)
	}
	Exit(0)(p)
	return p
}

func (p *program) emit(code []byte) { p.code = append(p.code, code...) }

// set gives an argument's register, or the one of the number, a value; negative ones keep their sign.
func (p *program) set(register int, value uint32) { p.emit(p.m.set(register, value)) }

// call makes a system call with up to four arguments.
func (p *program) call(c call, args ...uint32) {
	for i, a := range args {
		p.set(i, a)
	}
	p.set(number, uint32(p.m.calls[c]))
	p.emit(p.m.call)
}

// printString prints the string that the second argument points at, and ends the line.
func (p *program) printString() {
	p.emit(p.m.length)
	p.set(0, 1)
	p.set(number, uint32(p.m.calls[write]))
	p.emit(p.m.call)
	Print("\n")(p)
}

// data is the address of some bytes.
func (p *program) data(text string) uint32 {
	at, ok := p.known[text]
	if !ok {
		at = p.at + uint32(len(p.text))
		p.known[text] = at
		p.text = append(p.text, text...)
	}
	return at
}

func (p *program) string(s string) uint32 { return p.data(s + "\x00") }

// pointers is the address of an array of pointers that ends with a null one.
func (p *program) pointers(all []uint32) uint32 {
	for len(p.text)%8 != 0 {
		p.text = append(p.text, 0)
	}
	at := p.at + uint32(len(p.text))
	for _, a := range append(all, 0) {
		p.text = binary.LittleEndian.AppendUint32(p.text, a)
		if p.m.class == elf.ELFCLASS64 {
			p.text = append(p.text, 0, 0, 0, 0)
		}
	}
	return at
}

// elf is the whole file.
func (p *program) elf(machine elf.Machine) []byte {
	const all = elf.PF_R | elf.PF_W | elf.PF_X
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(p.m.class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	headers := p.m.headers()
	size := headers + len(p.code) + len(p.text)
	parts := []any{
		elf.Header32{
			Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: uint32(base + headers),
			Phoff: 52, Flags: p.m.flags, Ehsize: 52, Phentsize: 32, Phnum: 1, Shentsize: 40,
		},
		elf.Prog32{
			Type: uint32(elf.PT_LOAD), Vaddr: base, Paddr: base, Filesz: uint32(size), Memsz: uint32(size + utsSize),
			Flags: uint32(all), Align: align,
		},
	}
	if p.m.class == elf.ELFCLASS64 {
		parts = []any{
			elf.Header64{
				Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Entry: uint64(base + headers),
				Phoff: 64, Flags: p.m.flags, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
			},
			elf.Prog64{
				Type: uint32(elf.PT_LOAD), Flags: uint32(all), Vaddr: base, Paddr: base, Filesz: uint64(size),
				Memsz: uint64(size + utsSize), Align: align,
			},
		}
	}
	var b bytes.Buffer
	for _, part := range append(parts, p.code, p.text) {
		_ = binary.Write(&b, binary.LittleEndian, part) // into memory, of fixed size: it does not fail
	}
	return b.Bytes()
}
