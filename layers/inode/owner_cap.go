package inode

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Symbolic links, fifos, sockets and device nodes cannot carry user xattrs. What the kernel lets a user namespace set on
// them is security.capability (where it means nothing: none of them is ever executed), so that the record of their
// owner has its form, which is 20 bytes of two sets of capabilities of 64 bits each (struct vfs_cap_data of
// linux/capability.h), little-endian:
//
//	0   4  0x02000000: version 2, no flag
//	4   4  user; noID: it is the file's own
//	8   4  group, likewise
//	12  4  "xtoo"
//	16  4  0
//
// So the record is a part of the file, as the one of regular files is: rename, hard link and overlayfs's copying up keep
// it, unlinking ends it, a chown takes it away (capabilities do not survive one). A table beside the files would have
// to follow all of these.
const (
	capRecordSize  = 20
	capRecordMagic = 0x02000000
	capRecordMark  = 0x6f6f7478 // "xtoo"
)

func (o owner) encodeCap() []byte {
	b := make([]byte, capRecordSize)
	for i, v := range []uint32{capRecordMagic, o.uid, o.gid, capRecordMark, 0} {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	return b
}

// parseCap reads such a record. Capabilities that are none are not its business: ok is false.
func parseCap(value string) (o owner, ok bool) {
	value = layers.CapabilityV2(value)
	if len(value) != capRecordSize {
		return owner{}, false
	}
	var v [capRecordSize / 4]uint32
	for i := range v {
		v[i] = binary.LittleEndian.Uint32([]byte(value[4*i:]))
	}
	if v[0] != capRecordMagic || v[3] != capRecordMark || v[4] != 0 {
		return owner{}, false
	}
	return owner{v[1], v[2]}, true
}

// record writes the record of an owner to the file.
func (h Handle) record(o owner) error {
	if h.holdsUser() {
		return h.SetXattr(layers.XattrOwner, o.encode())
	}
	return h.SetXattr(layers.XattrCapability, o.encodeCap())
}

// unrecord removes the record of an owner. chown has done so where it is a capability.
func (h Handle) unrecord() error {
	if !h.holdsUser() {
		return nil
	}
	return h.RemoveXattr(layers.XattrOwner)
}

// recorded reads the record of an owner.
func (h Handle) recorded() (o owner, ok bool, err error) {
	name := layers.XattrOwner
	if !h.holdsUser() {
		name = layers.XattrCapability
	}
	value, ok, err := h.Xattr(name)
	if err != nil || !ok {
		return owner{}, false, err
	}
	if h.holdsUser() {
		o, err = parseOwner(value)
		return o, err == nil, err
	}
	o, ok = parseCap(string(value))
	return o, ok, nil
}

// holdsUserXattrs reports whether files of a type can carry user xattrs (xattr(7)).
func holdsUserXattrs(mode uint32) bool {
	return mode&unix.S_IFMT == unix.S_IFREG || mode&unix.S_IFMT == unix.S_IFDIR
}
