package oneid

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// kernelCred reads what the kernel says of the calling thread.
func kernelCred() cred {
	var c cred
	r := func(nr uintptr, a, b, d uintptr) uint32 {
		v, _, _ := unix.RawSyscall(nr, a, b, d)
		return uint32(v)
	}
	_, _, _ = unix.RawSyscall(unix.SYS_GETRESUID, uintptr(unsafe.Pointer(&c.uid.real)), uintptr(unsafe.Pointer(&c.uid.effective)), uintptr(unsafe.Pointer(&c.uid.saved)))
	_, _, _ = unix.RawSyscall(unix.SYS_GETRESGID, uintptr(unsafe.Pointer(&c.gid.real)), uintptr(unsafe.Pointer(&c.gid.effective)), uintptr(unsafe.Pointer(&c.gid.saved)))
	c.uid.fs, c.gid.fs = r(unix.SYS_SETFSUID, noID, 0, 0), r(unix.SYS_SETFSGID, noID, 0, 0)
	var list [64]uint32
	n := r(unix.SYS_GETGROUPS, 64, uintptr(unsafe.Pointer(&list[0])), 0)
	for _, g := range list[:n] {
		c.groups += string([]byte{byte(g), byte(g >> 8), byte(g >> 16), byte(g >> 24)})
	}
	h, d := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	_, _, _ = unix.RawSyscall(unix.SYS_CAPGET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0)
	c.caps.permitted = capSet(d[0].Permitted) | capSet(d[1].Permitted)<<32
	c.caps.effective = capSet(d[0].Effective) | capSet(d[1].Effective)<<32
	c.caps.inheritable = capSet(d[0].Inheritable) | capSet(d[1].Inheritable)<<32
	for bit := range 64 {
		if r(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, uintptr(bit), 0) == 1 {
			c.caps.bounding |= 1 << bit
		}
		if v, _, e := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(bit), 0, 0, 0); e == 0 && v == 1 {
			c.caps.ambient |= 1 << bit
		}
	}
	c.securebits = r(unix.SYS_PRCTL, unix.PR_GET_SECUREBITS, 0, 0)
	return c
}

// A step is one call: as the kernel does it, and as it is done here.
type step struct {
	name   string
	kernel func() unix.Errno
	ours   func(cred) (cred, unix.Errno)
}

func raw(nr uintptr, a ...uint32) func() unix.Errno {
	return func() unix.Errno {
		full := [6]uintptr{}
		for i, v := range a {
			full[i] = uintptr(v)
		}
		_, _, e := unix.RawSyscall6(nr, full[0], full[1], full[2], full[3], full[4], full[5])
		return e
	}
}

// randomStep makes a call of few ids and few capabilities, so that what it names is often there.
func randomStep(r *rand.Rand, now cred) step {
	id := func() uint32 { return []uint32{0, 0, 5, 7, 1000, noID}[r.IntN(6)] }
	a, b, c := id(), id(), id()
	kind := idKind(r.IntN(2))
	pick := func(nrs ...uintptr) uintptr { return nrs[kind] }
	set := func(of capSet) capSet {
		return of &^ capsOf(r.IntN(10), r.IntN(10), unix.CAP_SETUID*r.IntN(2), unix.CAP_SETPCAP*r.IntN(2)) &^ (0xff << (8 * r.IntN(12)))
	}
	prctl := func(args ...uint32) step {
		a := [5]uint64{}
		for i, v := range args {
			a[i] = uint64(v)
		}
		return step{fmt.Sprint("prctl", args), raw(unix.SYS_PRCTL, args...), func(c cred) (cred, unix.Errno) {
			next, _, e := c.prctl(a)
			return next, e
		}}
	}
	switch r.IntN(14) {
	case 0, 1:
		return step{fmt.Sprint("setid ", kind, a), raw(pick(unix.SYS_SETUID, unix.SYS_SETGID), a), func(c cred) (cred, unix.Errno) { return c.setID(kind, a) }}
	case 2, 3:
		return step{fmt.Sprint("setreid ", kind, a, b), raw(pick(unix.SYS_SETREUID, unix.SYS_SETREGID), a, b), func(c cred) (cred, unix.Errno) { return c.setReID(kind, a, b) }}
	case 4, 5:
		return step{fmt.Sprint("setresid ", kind, a, b, c), raw(pick(unix.SYS_SETRESUID, unix.SYS_SETRESGID), a, b, c), func(x cred) (cred, unix.Errno) { return x.setResID(kind, a, b, c) }}
	case 6, 7:
		return step{fmt.Sprint("setfsid ", kind, a), func() unix.Errno { raw(pick(unix.SYS_SETFSUID, unix.SYS_SETFSGID), a)(); return 0 }, func(c cred) (cred, unix.Errno) { return c.setFSID(kind, a), 0 }}
	case 8:
		list := []uint32{a &^ noID >> 1, 9, b &^ noID >> 1}
		return step{fmt.Sprint("setgroups ", list), func() unix.Errno {
			_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 3, uintptr(unsafe.Pointer(&list[0])), 0)
			return e
		}, func(c cred) (cred, unix.Errno) { return c.setGroups(list) }}
	case 9, 10:
		p := set(now.caps.permitted)
		e, i := set(p), set(now.caps.permitted)&0xf0f|now.caps.inheritable
		return step{fmt.Sprintf("capset %x %x %x", p, e, i), func() unix.Errno {
			h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			d := [2]unix.CapUserData{{Permitted: uint32(p), Effective: uint32(e), Inheritable: uint32(i)}, {Permitted: uint32(p >> 32), Effective: uint32(e >> 32), Inheritable: uint32(i >> 32)}}
			_, _, errno := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0)
			return errno
		}, func(c cred) (cred, unix.Errno) { return c.setCaps(p, e, i) }}
	case 11:
		return prctl([]uint32{unix.PR_SET_KEEPCAPS, unix.PR_CAPBSET_DROP}[r.IntN(2)], uint32(r.IntN(3)))
	case 12:
		return prctl(unix.PR_SET_SECUREBITS, uint32(r.IntN(256)&r.IntN(256)&r.IntN(256)))
	}
	return prctl(unix.PR_CAP_AMBIENT, uint32(1+r.IntN(4)), uint32(r.IntN(10)*r.IntN(2)))
}

// TestCredsAsTheKernel does the same calls, at random, to credentials here and to those of a thread, and compares them after each.
func TestCredsAsTheKernel(t *testing.T) {
	testutil.NeedRoot(t)
	seeds := uint64(60)
	if testutil.IsLong() {
		seeds = 2000
	}
	for seed := range seeds {
		said := make(chan string)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			said <- sameAsKernel(rand.New(rand.NewPCG(seed, 1)))
		}()
		if s := <-said; s != "" {
			t.Fatalf("seed %d: %s", seed, s)
		}
	}
}

func sameAsKernel(r *rand.Rand) string {
	if e := raw(unix.SYS_SETGROUPS)(); e != 0 {
		return "setgroups: " + e.Error()
	}
	ours := kernelCred()
	log := ""
	for range 40 {
		s := randomStep(r, ours)
		next, want := s.ours(ours)
		got := s.kernel()
		is := kernelCred()
		log += fmt.Sprintf("%s = %v\n", s.name, got)
		if got != want || is != next {
			return fmt.Sprintf("%sfrom %+v\nhere %v %+v\nkernel %v %+v", log, ours, want, next, got, is)
		}
		ours = next
	}
	return ""
}
