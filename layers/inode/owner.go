package inode

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	rootlesscontainers "github.com/rootless-containers/proto/go-proto"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"xtoo/layers"
)

// An id that the kernel refuses, because it is outside the user namespace's map, is recorded beside the file, in
// the xattr that umoci and PRoot use for it (https://github.com/rootless-containers/proto). The file itself then
// belongs to [nobodyID], an id that no file has in earnest, so that a change of the owner shows: where the file is somebody
// else's, the record counts no more. With a single id there is no such id but 0 itself, and a file that is given to 0
// looks as before. Symbolic links, fifos, sockets and device nodes have a record of another form: see owner_cap.go.
//
// # Directories with the setgid bit
//
// What is made in such a directory belongs to the directory's group, and the kernel sees to that. Where the
// group is only recorded it cannot, so Capture does it: a file of the group [nobodyID] without a record, in a directory with
// the setgid bit and a recorded group, is taken to have inherited the group. For this to be sound every file
// that a layer puts there and that is of that group in earnest carries a record saying so, and a file that was
// copied up from a lower layer (overlayfs marks it) is never taken to have inherited anything.
// What cannot be told apart: a file that was moved there from another directory is taken to have inherited, and
// where the same build step sets or clears the directory's setgid bit its last state counts. Who watches the step
// calls [KeepGroup] before.

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

// encode is the message Resource, field by field: the library takes as long for it as the kernel takes to change an owner.
func (o owner) encode() []byte {
	b := make([]byte, 0, 12)
	for field, id := range []uint32{o.uid, o.gid} {
		if id != 0 {
			b = protowire.AppendTag(b, protowire.Number(field+1), protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(id))
		}
	}
	return b
}

// Inheritance is what a directory passes on to what is made in it.
type Inheritance struct {
	// recorded: the directory has the setgid bit and its group stands in a record only.
	recorded bool
	gid      uint32
	unknown  bool // it is not known whether: see [AnyDirectory]
}

// refused reports whether the kernel will not have an id: EINVAL where it is outside the map, EPERM where the
// caller has no right to give files away.
func refused(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) }

// setOwner gives h an owner: really where the kernel lets it, with a record where not. It clears the setuid and
// setgid bits and the capabilities of a file, so mode and xattrs are set after it. outside says
// that the map does not have it all; kept is false if a record would be needed and the file system holds none on such a
// file. stale says that there may be a record to remove.
func setOwner(h Handle, uid, gid uint32, in Inheritance, stale bool) (outside, kept bool, err error) {
	nobody, err := standIn()
	if err != nil {
		return false, false, err
	}
	rec := owner{noID, noID}
	outside = nobody.alone() && (owner{uid, gid}) != nobody // without asking the kernel
	if !outside {
		err = h.chown(uid, gid)
		outside = refused(err)
	}
	if outside {
		rec, err = chownInPart(h, nobody, owner{uid, gid})
	}
	if err != nil {
		return outside, false, fmt.Errorf("set owner %d:%d: %w", uid, gid, err)
	}
	if in.recorded && gid == nobody.gid {
		rec.gid = gid
	}
	if rec == (owner{noID, noID}) {
		if stale {
			return outside, true, h.unrecord()
		}
		return outside, true, nil
	}
	err = h.record(rec)
	switch {
	case err == nil:
		return outside, true, nil
	case !h.holdsUser() && (refused(err) || errors.Is(err, unix.EOPNOTSUPP)):
		return outside, false, nil
	}
	return outside, false, fmt.Errorf("record owner %d:%d: %w", uid, gid, NoUserXattrs(err))
}

// nobodyID is the id on the disk of a file whose own is outside of the map: what 16 bits have for "none", so that no file
// has it in earnest. Where the map does not reach it, it is the highest that there is; 0 where there is but one.
const nobodyID = 65535

// SeenAs returns the user that files belong to on the disk whose own is outside of the map.
func SeenAs() (uint32, error) {
	nobody, err := standIn()
	return nobody.uid, err
}

// standIn returns the ids of files whose own are outside of the map of this process.
var standIn = sync.OnceValues(func() (owner, error) {
	uid, uerr := nobodyOf("/proc/self/uid_map")
	gid, gerr := nobodyOf("/proc/self/gid_map")
	return owner{uid, gid}, errors.Join(uerr, gerr)
})

func nobodyOf(idMap string) (uint32, error) {
	data, err := os.ReadFile(idMap)
	if err != nil {
		return 0, err
	}
	var highest uint64
	for line := range strings.Lines(string(data)) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return 0, fmt.Errorf("%s: %q: %w", idMap, line, err)
		}
		if inside <= nobodyID && nobodyID < inside+count {
			return nobodyID, nil
		}
		highest = max(highest, inside+count-1)
	}
	return uint32(min(highest, noID-1)), nil
}

// alone says that the ids that stand for all others are the only ones that the kernel has.
func (o owner) alone() bool { return o == owner{} }

// chownInPart sets what the kernel accepts of an owner that it does not have whole, nobody in place of the rest, and returns
// what is left to record.
func chownInPart(h Handle, nobody, want owner) (owner, error) {
	tries := []owner{{want.uid, nobody.gid}, {nobody.uid, want.gid}, nobody}
	if nobody.alone() {
		tries = tries[2:]
	}
	err := error(unix.EPERM)
	for _, try := range tries {
		if try == want {
			continue // already refused
		}
		if err = h.chown(try.uid, try.gid); err == nil {
			return want.without(try), nil
		} else if !refused(err) {
			break
		}
	}
	return owner{}, err
}

// recordOf is what is left to record of an owner where the kernel has the ids of has: a group that is the file's own, and no
// inherited one, is told even then.
func recordOf(want, has owner, in Inheritance) owner {
	rec := want.without(has)
	if in.recorded && want.gid == has.gid {
		rec.gid = want.gid
	}
	return rec
}

// without is what is left of o where the kernel has some ids.
func (o owner) without(has owner) owner {
	if o.uid == has.uid {
		o.uid = noID
	}
	if o.gid == has.gid {
		o.gid = noID
	}
	return o
}
