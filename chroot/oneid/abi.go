package oneid

import "runtime"

// The machines as the audit architectures of linux/audit.h, which is how a filter sees them.
const (
	archAMD64 = 0xc000003e
	archI386  = 0x40000003
	archARM64 = 0xc00000b7
	archARM   = 0x40000028
)

// x32Bit in a number means the ABI x32 of x86-64.
const x32Bit = 0x40000000

// An abi is one set of system calls. Its index is that of the numbers in a [call].
type abi struct {
	arch   uint32
	index  int
	narrow bool // registers and pointers have 32 bits
}

// The indices of the ABIs in the numbers of a [call].
const (
	onAMD64 = iota
	onI386
	onARM64
	onARM
	countABIs
)

// abis returns those that programs on this machine may use: its own first.
func abis() []abi {
	switch runtime.GOARCH {
	case "amd64":
		return []abi{{arch: archAMD64, index: onAMD64}, {arch: archI386, index: onI386, narrow: true}}
	case "arm64":
		return []abi{{arch: archARM64, index: onARM64}, {arch: archARM, index: onARM, narrow: true}}
	}
	return nil // nobody has tried
}

// none is the number of a call that an ABI does not have.
const none = -1

// numbers are those of a call: of x86-64, i386, arm64 and arm. A zero value means none in all: see number.
type numbers [countABIs]int

// everywhere is a call that came late enough to have one number in all ABIs.
func everywhere(n int) numbers { return numbers{n, n, n, n} }
