package qemu

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// BinfmtDir is where the kernel's binfmt_misc file system is mounted by custom.
const BinfmtDir = "/proc/sys/fs/binfmt_misc"

// The flags of a registration. (Linux, Documentation/admin-guide/binfmt-misc.rst)
const (
	FlagPreserve    = "P" // the emulator gets the program's own argv[0]
	FlagOpen        = "O" // the emulator gets the program as an open file
	FlagCredentials = "C" // set-uid programs have their owners' rights; implies O
	FlagFix         = "F" // the emulator is opened when it is registered: it need not be in the root
)

// typeMask lets ET_EXEC (2) and ET_DYN (3) pass.
const typeMask = 0xfe

// magic is how the header of every program of the architecture begins, and which bits of that count: magic,
// class, byte order and version of the identification (the ABI, which follows, may be anything), then type and
// machine. See the ELF specification, "ELF Header".
func (e ELF) magic() (magic, mask []byte) {
	magic = make([]byte, 20)
	copy(magic, "\x7fELF")
	magic[4], magic[5], magic[6] = byte(e.Class), byte(e.Data), 1
	order := e.order()
	order.PutUint16(magic[16:], 2)
	order.PutUint16(magic[18:], uint16(e.Machine))
	mask = bytes.Repeat([]byte{0xff}, len(magic))
	mask[7] = 0
	if order == binary.ByteOrder(binary.BigEndian) {
		mask[17] = typeMask
	} else {
		mask[16] = typeMask
	}
	return magic, mask
}

func (e ELF) order() binary.ByteOrder {
	const msb = 2
	if e.Data == msb {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Rule is the line that registers interpreter for the programs of the architecture under a name, when it is written to the
// file "register" of binfmt_misc: as an administrator would write it for the whole machine, or as anybody may in a
// user namespace. flags are a sequence of the flags above.
func Rule(name string, a Arch, interpreter, flags string) string {
	magic, mask := a.ELF.magic()
	return fmt.Sprintf(":%s:M::%s:%s:%s:%s", name, escape(magic), escape(mask), interpreter, flags)
}

// escape writes bytes as binfmt_misc reads them: a NUL or a newline would end its line.
func escape(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// A Registration is an interpreter that binfmt_misc has for programs that begin in a certain way.
type Registration struct {
	Name        string
	Interpreter string
	Flags       string // "POCF", in any order
	enabled     bool

	offset      int
	magic, mask []byte
}

// Runs reports whether the kernel hands programs of the architecture to this interpreter.
func (r Registration) Runs(a Arch) bool {
	if !r.enabled || len(r.magic) == 0 {
		return false
	}
	head, _ := a.ELF.magic()
	head = append(head, make([]byte, 256-len(head))...) // BINPRM_BUF_SIZE: the kernel looks no further
	if r.offset < 0 || r.offset+len(r.magic) > len(head) {
		return false
	}
	for i, want := range r.magic {
		mask := byte(0xff)
		if i < len(r.mask) {
			mask = r.mask[i]
		}
		if (head[r.offset+i]^want)&mask != 0 {
			return false
		}
	}
	return true
}

// Fixed reports whether the emulator was opened when it was registered, so that a root need not have it.
func (r Registration) Fixed() bool { return strings.Contains(r.Flags, FlagFix) }

// Registrations reads what is registered in a mounted binfmt_misc, [BinfmtDir] in most cases. A directory that is
// missing, or where nothing is mounted, has none; and so has one that is switched off.
func Registrations(dir string) ([]Registration, error) {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the registrations of binfmt_misc: %w", err)
	}
	if strings.TrimSpace(string(status)) != "enabled" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the registrations of binfmt_misc: %w", err)
	}
	var all []Registration
	for _, e := range entries {
		if e.Name() == "status" || e.Name() == "register" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read the registrations of binfmt_misc: %w", err)
		}
		all = append(all, parseRegistration(e.Name(), string(data)))
	}
	return all, nil
}

// parseRegistration reads what the kernel shows of one; lines it does not know are passed over. Registrations by
// file name extension have no magic, and run no programs.
func parseRegistration(name, text string) Registration {
	r := Registration{Name: name}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "enabled":
			r.enabled = true
		case "interpreter":
			r.Interpreter = value
		case "flags:":
			r.Flags = strings.TrimSpace(value)
		case "offset":
			r.offset, _ = strconv.Atoi(value) // written by the kernel; 0 where it is not
		case "magic":
			r.magic, _ = hex.DecodeString(value) // as above: what was read so far
		case "mask":
			r.mask, _ = hex.DecodeString(value) // as above
		}
	}
	return r
}
