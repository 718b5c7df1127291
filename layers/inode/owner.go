package inode

import (
	"errors"
	"fmt"

	rootlesscontainers "github.com/rootless-containers/proto/go-proto"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"xtoo/layers"
)

// An id that the kernel refuses, because it is outside the user namespace's map, is recorded beside the file, in
// the xattr that umoci and PRoot use for it (https://github.com/rootless-containers/proto). The file itself then
// belongs to 0. Only regular files and directories can carry the record; the owner of a symbolic link or a fifo
// is lost from the directory, not from the layer's blob.
//
// # Directories with the setgid bit
//
// What is made in such a directory belongs to the directory's group, and the kernel sees to that. Where the
// group is only recorded it cannot, so Capture does it: a file of group 0 without a record, in a directory with
// the setgid bit and a recorded group, is taken to have inherited the group. For this to be sound every file
// that a layer puts there and that is of group 0 in earnest carries a record saying so, and a file that was
// copied up from a lower layer (overlayfs marks it) is never taken to have inherited anything.
// What cannot be told apart: a file that was moved there from another directory is taken to have inherited, and
// where the same build step sets or clears the directory's setgid bit its last state counts.

// noID in a record leaves the id to the file itself (rootlesscontainers.NoopID).
const noID = 0xffffffff

// owner is a record: either id may be noID.
type owner struct{ uid, gid uint32 }

func parseOwner(value []byte) (owner, error) {
	var r rootlesscontainers.Resource
	if err := proto.Unmarshal(value, &r); err != nil {
		return owner{}, fmt.Errorf("parse the owner in %s: %w", layers.XattrOwner, err)
	}
	return owner{r.GetUid(), r.GetGid()}, nil
}

func (o owner) encode() ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&rootlesscontainers.Resource{Uid: o.uid, Gid: o.gid})
	if err != nil {
		return nil, fmt.Errorf("encode an owner: %w", err)
	}
	return b, nil
}

// Inheritance is what a directory passes on to what is made in it.
type Inheritance struct {
	// Recorded: the directory has the setgid bit and its group stands in a record only.
	Recorded bool
	gid      uint32
}

// refused reports whether the kernel will not have an id: EINVAL where it is outside the map, EPERM where the
// caller has no right to give files away.
func refused(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) }

// setOwner gives h an owner: really where the kernel lets it, with a record where not. It clears the setuid and
// setgid bits and the capabilities of a file, so mode and xattrs are set after it. kept is false if a record
// would be needed and the file cannot carry one. stale says that there may be a record to remove.
func setOwner(h Handle, uid, gid uint32, in Inheritance, stale bool) (kept bool, err error) {
	rec := owner{noID, noID}
	err = h.chown(int(uid), int(gid))
	if refused(err) {
		if rec, err = chownInPart(h, uid, gid); err != nil {
			return false, err
		}
	}
	if err != nil {
		return false, fmt.Errorf("set owner %d:%d: %w", uid, gid, err)
	}
	if in.Recorded && gid == 0 {
		rec.gid = 0
	}
	if rec == (owner{noID, noID}) {
		if stale && h.FD >= 0 {
			return true, h.RemoveXattr(layers.XattrOwner)
		}
		return true, nil
	}
	if h.FD < 0 {
		// An explicit group 0 is lost with less harm: Capture then says it was inherited.
		return rec.uid == noID && rec.gid == 0, nil
	}
	value, err := rec.encode()
	if err != nil {
		return false, err
	}
	if err := h.SetXattr(layers.XattrOwner, value); err != nil {
		return false, fmt.Errorf("record owner %d:%d: %w", uid, gid, NoUserXattrs(err))
	}
	return true, nil
}

// chownInPart sets what the kernel accepts of an owner that it has refused, 0 in place of the rest, and returns
// what is left to record.
func chownInPart(h Handle, uid, gid uint32) (owner, error) {
	for _, try := range []struct {
		uid, gid uint32
		rec      owner
	}{
		{uid, 0, owner{noID, gid}},
		{0, gid, owner{uid, noID}},
		{0, 0, owner{uid, gid}},
	} {
		if try.uid == uid && try.gid == gid {
			continue // already refused
		}
		if err := h.chown(int(try.uid), int(try.gid)); err == nil {
			// A recorded id that is 0 needs no record.
			return try.rec, nil
		} else if !refused(err) || (try.uid == 0 && try.gid == 0) {
			return owner{}, fmt.Errorf("set owner %d:%d: %w", try.uid, try.gid, err)
		}
	}
	return owner{}, fmt.Errorf("set owner %d:%d: %w", uid, gid, unix.EPERM)
}
