package squashfs

import "hash/maphash"

// slab is a list that grows without moving: pointers into it stay good, and growing copies nothing and
// leaves nothing for the collector.
type slab[T any] struct {
	chunks [][]T
	n      uint32
}

const slabChunk = 1024

// add appends a zero value, or what a dropped one left.
func (s *slab[T]) add() (uint32, *T) {
	i := s.n
	if int(i/slabChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.n++
	return i, s.at(i)
}

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/slabChunk][i%slabChunk] }

// arena keeps byte strings of less than 64 KiB.
type arena struct{ chunks [][]byte }

const arenaChunk = 1 << 16

// put returns what get takes: position << 16 | length.
func (a *arena) put(s string) uint64 {
	last := len(a.chunks) - 1
	if last < 0 || len(a.chunks[last])+len(s) > arenaChunk {
		a.chunks = append(a.chunks, make([]byte, 0, arenaChunk))
		last++
	}
	off := len(a.chunks[last])
	a.chunks[last] = append(a.chunks[last], s...)
	return uint64(last)<<32 | uint64(off)<<16 | uint64(len(s))
}

func (a *arena) get(ref uint64) []byte {
	off := ref >> 16 & 0xffff
	return a.chunks[ref>>32][off : off+ref&0xffff]
}

// index finds numbers by a hash of what they stand for; what that is, is the caller's affair. It takes
// six to eleven bytes a number, where a map would take several times that.
type index struct {
	slots []uint32 // number+1; 0 is free
	n     int
}

// find returns the number for which same holds.
func (x *index) find(hash uint64, same func(uint32) bool) (uint32, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if v := x.slots[i] - 1; same(v) {
			return v, true
		}
	}
	return 0, false
}

// insert adds a number that is not there yet; hashOf gives the hash of any number inserted before.
func (x *index) insert(hash uint64, v uint32, hashOf func(uint32) uint64) {
	if x.n >= len(x.slots)*3/4 {
		old := x.slots
		x.slots = make([]uint32, max(64, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				x.place(hashOf(s-1), s)
			}
		}
	}
	x.place(hash, v+1)
	x.n++
}

func (x *index) place(hash uint64, slot uint32) {
	mask := uint64(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = slot
}

// nameHash hashes a name in a directory. Its seed differs from run to run, so that nobody can make
// names that collide; nothing in the output depends on it.
func nameHash(seed maphash.Seed, dir uint32, name []byte) uint64 {
	return maphash.Bytes(seed, name) ^ uint64(dir)*0x9E3779B97F4A7C15
}
