package unpack

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Machine is what an ELF file is made for, in the numbers of its header: e_ident[EI_CLASS] (1: 32 bits,
// 2: 64), e_ident[EI_DATA] (1: little-endian, 2: big) and e_machine. See elf(5).
type Machine struct {
	Class, Data byte
	Machine     uint16
}

// String implements fmt.Stringer, as in "ELF 64-bit little-endian machine 62".
func (m Machine) String() string {
	end := "little"
	if m.Data == 2 {
		end = "big"
	}
	return fmt.Sprintf("ELF %d-bit %s-endian machine %d", 32*int(m.Class), end, m.Machine)
}

// elfHead is how much of a file readMachine wants.
const elfHead = 64

// readMachine reads the machine of an ELF executable or shared object; other files have none.
func readMachine(b []byte) (Machine, bool) {
	if len(b) < 20 || string(b[:4]) != "\x7fELF" {
		return Machine{}, false
	}
	m := Machine{Class: b[4], Data: b[5]}
	var order binary.ByteOrder = binary.LittleEndian
	if m.Data == 2 {
		order = binary.BigEndian
	}
	kind := order.Uint16(b[16:])
	m.Machine = order.Uint16(b[18:])
	valid := (m.Class == 1 || m.Class == 2) && (m.Data == 1 || m.Data == 2) && m.Machine != 0
	return m, valid && (kind == 2 || kind == 3) // ET_EXEC, ET_DYN
}

// isStandardPlace tells whether a file lies where a system keeps the programs and libraries that it
// runs itself: bin, sbin and lib* of / and /usr, and one directory below lib*. Firmware, which is for
// other processors, lies elsewhere or deeper.
func isStandardPlace(clean string) bool {
	dirs := strings.Split(strings.TrimPrefix(clean, "usr/"), "/")
	dirs = dirs[:len(dirs)-1]
	switch {
	case len(dirs) == 0:
		return false
	case dirs[0] == "bin" || dirs[0] == "sbin":
		return len(dirs) == 1
	case strings.HasPrefix(dirs[0], "lib"):
		return len(dirs) == 1 || len(dirs) == 2 && dirs[1] != "firmware"
	}
	return false
}
