// Package qemu knows architectures under all of their names: the arch_desc and subarch that Funtoo
// publishes a stage3 under, the platform of an OCI image, the machine of an ELF header, the code in a SIF
// file, the CHOST of a compiler, and the emulator that runs them.
//
// It is a table and the ways to look into it; [Find], which looks for an emulator on this machine; and what binfmt_misc
// is told ([Rule]) and tells ([Registrations]). [Host] knows what the program was compiled for. Nothing here executes,
// mounts or registers anything: that is the executor's.
package qemu

import (
	"debug/elf"
	"fmt"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ELF is what the header of a program says about the machine it is for. It is comparable, so that programs
// can be counted by it. See the ELF specification, "ELF Header": e_machine, EI_CLASS and EI_DATA.
type ELF struct {
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data
}

// String is for messages: "EM_AARCH64, 64-bit, little-endian".
func (e ELF) String() string {
	class, data := e.Class.String(), e.Data.String()
	switch e.Class {
	case elf.ELFCLASS32:
		class = "32-bit"
	case elf.ELFCLASS64:
		class = "64-bit"
	}
	switch e.Data {
	case elf.ELFDATA2LSB:
		data = "little-endian"
	case elf.ELFDATA2MSB:
		data = "big-endian"
	}
	return fmt.Sprintf("%s, %s, %s", e.Machine, class, data)
}

// Arch is one architecture: a row of the table. The zero value means: not known.
type Arch struct {
	Name    string // Funtoo's arch_desc: "x86-64bit"
	Subarch string // Funtoo's subarch: "generic_64"

	// OCI platform (image-spec, image index, "platform"). The operating system is always linux.
	Architecture string // "amd64": the name Go and OCI use
	Variant      string // "v8", or "" where the specification has none, or where none is guaranteed

	ELF   ELF    // what the headers of its programs say
	SIF   string // architecture code of a SIF header, two digits: "02"
	CHOST string // GNU triplet that Portage's profiles use: "x86_64-pc-linux-gnu"
	Uname string // what uname -m says on such a machine: "x86_64"

	Emulator string // qemu's user mode emulator, without "-static": "qemu-x86_64"
	CPU      string // the model to ask of it (qemu -cpu), or "" for the emulator's default
}

// String is the way xtoo writes an architecture everywhere: "arm-64bit/raspi4".
func (a Arch) String() string {
	if a.Name == "" {
		return "unknown"
	}
	return a.Name + "/" + a.Subarch
}

// IsZero reports whether a is the zero value: not known.
func (a Arch) IsZero() bool { return a == Arch{} }

// Platform is the OCI platform of images for this architecture.
func (a Arch) Platform() v1.Platform {
	return v1.Platform{OS: "linux", Architecture: a.Architecture, Variant: a.Variant}
}

// PlatformString is the platform as container tools write it: "linux/arm64/v8".
func (a Arch) PlatformString() string {
	s := "linux/" + a.Architecture
	if a.Variant != "" {
		s += "/" + a.Variant
	}
	return s
}
