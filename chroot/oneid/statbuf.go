package oneid

import (
	"encoding/binary"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An encoder lays a stat out as an ABI has it. EOVERFLOW: it does not fit.
type encoder func(a *abi, st *unix.Stat_t) ([]byte, unix.Errno)

// encodeStat is struct stat of 64-bit programs, which is this program's own.
func encodeStat(_ *abi, st *unix.Stat_t) ([]byte, unix.Errno) {
	return unsafe.Slice((*byte)(unsafe.Pointer(st)), unsafe.Sizeof(*st)), 0
}

// le writes numbers one after the other.
type le []byte

func (b *le) u16(n uint16) { *b = binary.LittleEndian.AppendUint16(*b, n) }
func (b *le) u32(n uint32) { *b = binary.LittleEndian.AppendUint32(*b, n) }
func (b *le) u64(n uint64) { *b = binary.LittleEndian.AppendUint64(*b, n) }

// times are the three of them with 32 bits each.
func (b *le) times(st *unix.Stat_t) {
	for _, t := range []unix.Timespec{st.Atim, st.Mtim, st.Ctim} {
		b.u32(uint32(t.Sec))
		b.u32(uint32(t.Nsec))
	}
}

// oldDev is a device's number with 16 bits.
func oldDev(dev uint64) (uint16, bool) {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return uint16(major<<8 | minor), major < 256 && minor < 256
}

// newDev is one with 32 bits (new_encode_dev of linux/kdev_t.h).
func newDev(dev uint64) uint32 {
	major, minor := unix.Major(dev), unix.Minor(dev)
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// shortID is an id with 16 bits, as the kernel shows one that has more: 65534.
func shortID(id uint32) uint16 {
	if id > math.MaxUint16 {
		return 65534
	}
	return uint16(id)
}

// encodeStat32 is struct stat of i386 and arm, which have the same.
func encodeStat32(_ *abi, st *unix.Stat_t) ([]byte, unix.Errno) {
	dev, ok1 := oldDev(st.Dev)
	rdev, ok2 := oldDev(st.Rdev)
	if !ok1 || !ok2 || st.Ino > math.MaxUint32 || st.Nlink > math.MaxUint16 || st.Size > math.MaxInt32 {
		return nil, unix.EOVERFLOW
	}
	b := make(le, 0, 64)
	b.u16(dev)
	b.u16(0)
	b.u32(uint32(st.Ino))
	b.u16(uint16(st.Mode))
	b.u16(uint16(st.Nlink))
	b.u16(shortID(st.Uid))
	b.u16(shortID(st.Gid))
	b.u16(rdev)
	b.u16(0)
	b.u32(uint32(st.Size))
	b.u32(uint32(st.Blksize))
	b.u32(uint32(st.Blocks))
	b.times(st)
	b.u64(0)
	return b, 0
}

// encodeStat64 is struct stat64 of i386 and arm: the latter aligns what has 64 bits.
func encodeStat64(a *abi, st *unix.Stat_t) ([]byte, unix.Errno) {
	aligned := a.index == onARM
	b := make(le, 0, 104)
	b.u64(uint64(newDev(st.Dev)))
	b.u32(0)
	b.u32(uint32(st.Ino))
	b.u32(st.Mode)
	b.u32(uint32(st.Nlink))
	b.u32(st.Uid)
	b.u32(st.Gid)
	b.u64(uint64(newDev(st.Rdev)))
	b.u32(0)
	if aligned {
		b.u32(0)
	}
	b.u64(uint64(st.Size))
	b.u32(uint32(st.Blksize))
	if aligned {
		b.u32(0)
	}
	b.u64(uint64(st.Blocks))
	b.times(st)
	b.u64(st.Ino)
	return b, 0
}

// statFrom is what stat(2) says, from what statx(2) does.
func statFrom(x *unix.Statx_t) unix.Stat_t {
	var st unix.Stat_t
	put(&st.Dev, unix.Mkdev(x.Dev_major, x.Dev_minor))
	put(&st.Rdev, unix.Mkdev(x.Rdev_major, x.Rdev_minor))
	put(&st.Nlink, uint64(x.Nlink))
	put(&st.Blksize, uint64(x.Blksize))
	st.Mode, st.Uid, st.Gid = uint32(x.Mode), x.Uid, x.Gid
	st.Ino, st.Size, st.Blocks = x.Ino, int64(x.Size), int64(x.Blocks)
	setTime(&st.Atim, x.Atime)
	setTime(&st.Mtim, x.Mtime)
	setTime(&st.Ctim, x.Ctime)
	return st
}

// put stores a value in a field whose size is not the same on all machines.
func put[T ~int32 | ~int64 | ~uint32 | ~uint64](field *T, value uint64) { *field = T(value) }

func setTime(to *unix.Timespec, from unix.StatxTimestamp) {
	put(&to.Sec, uint64(from.Sec))
	put(&to.Nsec, uint64(from.Nsec))
}
