package lzma2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of the machine's large pages, in bytes, on most machines.
const hugePage = 2 << 20

// newBuffer makes a buffer of n bytes in large pages, if the kernel likes. Matches are anywhere in it, and with small pages
// finding where they lie costs a tenth of the decoding.
func newBuffer(n int) []byte {
	b := make([]byte, n)
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (hugePage - 1))
	if size := (n - start) &^ (hugePage - 1); size > 0 {
		_ = unix.Madvise(b[start:start+size], unix.MADV_HUGEPAGE) // an advice: without it decoding is slower, not wrong
	}
	return b
}
