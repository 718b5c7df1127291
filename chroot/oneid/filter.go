package oneid

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (seccomp(2)). Arguments have 64 bits in all ABIs; their low halves come first on
// the machines of abis.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// maxFilter is how many instructions the kernel takes (BPF_MAXINSNS).
const maxFilter = 4096

// filter makes the program for a table of calls. It looks at the ABI, then for the number, one after the other: the kernel
// remembers which numbers are always allowed and does not execute the filter for them.
func filter(all []abi, calls []call) ([]unix.SockFilter, error) {
	p := []unix.SockFilter{load(offArch)}
	for _, a := range all {
		body, err := filterOf(a, calls)
		if err != nil {
			return nil, err
		}
		// A conditional jump reaches 255 instructions only.
		p = append(p,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: a.arch, Jt: 1},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(body))})
		p = append(p, body...)
	}
	p = append(p, failWith(unix.ENOSYS)) // no program of this machine
	if len(p) > maxFilter {
		return nil, fmt.Errorf("a filter of %d instructions: the kernel takes %d", len(p), maxFilter)
	}
	return p, nil
}

// filterOf is the part for one ABI. It ends in an action on every path.
func filterOf(a abi, calls []call) ([]unix.SockFilter, error) {
	p := []unix.SockFilter{load(offNumber)}
	if a.arch == archAMD64 {
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: x32Bit, Jf: 1}, failWith(unix.ENOSYS))
	}
	for i := range calls {
		c := &calls[i]
		nr := c.nr[a.index]
		if nr == none {
			continue
		}
		body := decide(c)
		if len(body) > 255 {
			return nil, fmt.Errorf("a filter for %s of %d instructions: too many ranges of ids", c.name, len(body))
		}
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: uint8(len(body))})
		p = append(p, body...)
	}
	return append(p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}), nil
}

// decide is what is done with one number.
func decide(c *call) []unix.SockFilter {
	action := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF}
	if c.do == nil {
		action = failWith(c.errno)
	}
	if len(c.when) == 0 {
		return []unix.SockFilter{action}
	}
	var p []unix.SockFilter
	for _, tests := range c.when {
		left := 4*len(tests) + 1 // up to the next alternative
		for _, t := range tests {
			left -= 4
			at := offArgs + 8*uint32(t.arg)
			if t.high {
				at += 4
			}
			p = append(p, load(at),
				unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: t.mask},
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: t.min, Jf: uint8(left + 1)},
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: t.max, Jt: uint8(left)})
		}
		p = append(p, action)
	}
	return append(p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func failWith(errno unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}
