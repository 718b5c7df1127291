package inode

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// What follows is for those who record what a script asks for while it runs, and read it back: on the files of the
// mounted overlay, with the rights of root of the namespace that mounted it. All that is recorded is a part of the file
// that it speaks of, so that rename, hard link, copying up, unlinking and making anew need no care. [ReadMeta] and with it
// Capture read the same records from the upper directory.

// NoID leaves an id as it is, as in chown(2): -1.
const NoID = noID

// FDHandle returns the handle of the file that a descriptor stands for, whatever the file is; one opened with O_PATH
// and O_NOFOLLOW is enough. st was read from it, for its type's sake. It borrows fd: Close must not be called on it. /proc
// must be this process's own. The handle is good for the functions of this file, for xattrs and [ReadMeta].
func FDHandle(fd int, st *unix.Stat_t) Handle {
	return Handle{Dir: fd, FD: -1, user: holdsUserXattrs(st.Mode)}
}

// OpenHandle returns the handle of an open regular file or directory, not opened for its name only. It borrows fd, like [FDHandle].
func OpenHandle(fd int) Handle { return Handle{Dir: fd, FD: fd} }

// Under returns a handle of the same file for a thread that has this process's descriptors elsewhere than in /proc/self/fd/: in
// fds, which ends with a slash, and may begin in the thread's working directory.
func (h Handle) Under(fds string) Handle {
	h.fds = fds
	return h
}

// An Owner is whose a file is, as far as the file itself and its record say.
type Owner struct {
	UID, GID uint32
	// open: nothing says that the group is the file's own; its directory may have passed one on.
	open bool
}

// OwnerOf returns the owner of a file: what is recorded, else what st has, which was read from the file. It costs reading one
// xattr. The group of a file in a directory that passes one on is settled by [Owner.Inherit].
func OwnerOf(h Handle, st *unix.Stat_t) (Owner, error) {
	nobody, err := standIn()
	if err != nil {
		return Owner{}, err
	}
	o := Owner{UID: st.Uid, GID: st.Gid, open: st.Gid == nobody.gid}
	if st.Uid != nobody.uid && st.Gid != nobody.gid {
		return o, nil // it was given to somebody for real; a record counts no more
	}
	rec, ok, err := h.recorded()
	if err != nil || !ok {
		return o, err
	}
	o.take(rec, nobody)
	return o, nil
}

// take takes what a record says, which holds only where the file belongs to the id of files whose own is outside of the map.
func (o *Owner) take(rec, nobody owner) {
	if rec.uid != noID && o.UID == nobody.uid {
		o.UID = rec.uid
	}
	if rec.gid != noID && o.open {
		o.GID, o.open = rec.gid, false
	}
}

// Inherit gives a file the group that its directory passes on, if nothing says that it has one of its own. A file that is
// known to come from a lower layer has.
func (o *Owner) Inherit(in Inheritance) {
	if in.recorded && o.open && !in.unknown {
		o.GID = in.gid
	}
}

// Open reports that nothing says that the group is the file's own: it may be one that its directory has passed on.
func (o Owner) Open() bool { return o.open }

// KeepGroup records the group of a file that has none of its own, but what its directory passes on: the file keeps that, whatever becomes of
// the directory. Nothing else of the file changes. It does nothing where the file has a group of its own.
func KeepGroup(h Handle, st *unix.Stat_t, in Inheritance) error {
	o, err := OwnerOf(h, st)
	if err != nil || !o.open {
		return err
	}
	rec, ok, err := h.recorded()
	if err != nil {
		return err
	}
	if !ok {
		rec.uid = noID
	}
	o.Inherit(in)
	rec.gid = o.GID
	if err := h.record(rec); err != nil {
		return fmt.Errorf("record group %d: %w", o.GID, NoUserXattrs(err))
	}
	return nil
}

// PassedOn returns what a directory passes on to what is made in it: its group, where it has the setgid bit and
// the group stands in a record, so that the kernel cannot pass it on. above says that it is what its own directory passes on:
// nothing says that it has a group of its own. It costs reading one xattr where it has that bit, else nothing.
func PassedOn(dir Handle, st *unix.Stat_t) (in Inheritance, above bool, err error) {
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&unix.S_ISGID == 0 {
		return Inheritance{}, false, nil
	}
	o, err := OwnerOf(dir, st)
	if err != nil || o.GID == st.Gid {
		return Inheritance{}, err == nil && o.open, err
	}
	return Inheritance{recorded: true, gid: o.GID}, false, nil
}

// AnyDirectory stands for what a directory passes on that is not known: of a file that is known by its descriptor only.
// An owner that is set there is always told from one that is inherited. Capture removes the records that turn out to
// be superfluous.
func AnyDirectory() Inheritance { return Inheritance{recorded: true, unknown: true} }

// Chown is chown(2): it gives a file to the ids, really where the kernel lets it, with a record where not. [NoID] leaves an id as
// it is. in is what the file's directory passes on, or [AnyDirectory]. As the kernel's, it clears the setuid and
// setgid bits of files and their capabilities, the recorded ones too. st is how the file was before.
func Chown(h Handle, st *unix.Stat_t, uid, gid uint32, in Inheritance) error {
	if uid == NoID || gid == NoID {
		is, err := OwnerOf(h, st)
		if err != nil {
			return err
		}
		if uid == NoID {
			uid = is.UID
		}
		if gid == NoID {
			if gid = is.GID; is.open {
				in = Inheritance{} // what it inherits goes on being inherited
			}
		}
	}
	if onlyRecorded(h, st, uid, gid, in) {
		return nil
	}
	if _, kept, err := setOwner(h, uid, gid, in, true); err != nil {
		return err
	} else if !kept {
		return fmt.Errorf("record owner %d:%d: %w", uid, gid, unix.EPERM)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	_, kept, err := h.Xattr(layers.XattrKept + layers.XattrCapability)
	if err != nil || !kept {
		return err // to look costs less than to remove what is not there
	}
	return h.RemoveXattr(layers.XattrKept + layers.XattrCapability)
}

// onlyRecorded records an owner without a chown of the kernel's, where that would find nothing to change: the file belongs to the
// one id that there is already, and has neither bits nor capabilities that go with its owner. What else a chown does, copying up and
// the time of the change, the record does too. It does nothing where that is not so, and where the record fails.
func onlyRecorded(h Handle, st *unix.Stat_t, uid, gid uint32, in Inheritance) bool {
	nobody, err := standIn()
	if err != nil || !nobody.alone() || !h.holdsUser() || (owner{st.Uid, st.Gid}) != nobody {
		return false
	}
	rec := recordOf(owner{uid, gid}, nobody, in)
	if rec == (owner{noID, noID}) {
		return false
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		names, err := h.listXattrs()
		if err != nil || st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 || slices.Contains(names, layers.XattrCapability) ||
			slices.Contains(names, layers.XattrKept+layers.XattrCapability) {
			return false
		}
	}
	return h.record(rec) == nil
}

// RecordDevice makes an empty regular file, just made, stand for a device: mode is S_IFCHR or S_IFBLK, the rest of it is not
// looked at. It stands for the device until something is written to it.
func RecordDevice(h Handle, mode, major, minor uint32) error {
	m := layers.Member{Mode: mode, Major: major, Minor: minor}
	if !layers.ValidDevice(int64(major), int64(minor)) || !m.IsDevice() {
		return fmt.Errorf("record device %d:%d: %w", major, minor, unix.EINVAL)
	}
	if err := h.SetXattr(layers.XattrDevice, []byte(StandIn(&m))); err != nil {
		return fmt.Errorf("record device %s: %w", StandIn(&m), NoUserXattrs(err))
	}
	return nil
}

// DeviceOf returns the device that a file stands for: S_IFCHR or S_IFBLK and its numbers. It costs nothing but for empty
// regular files.
func DeviceOf(h Handle, st *unix.Stat_t) (kind, major, minor uint32, ok bool, err error) {
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != 0 {
		return 0, 0, 0, false, nil
	}
	value, ok, err := h.Xattr(layers.XattrDevice)
	if err != nil || !ok {
		return 0, 0, 0, false, err
	}
	m := Meta{Member: layers.Member{Mode: st.Mode}}
	if !m.standsFor(string(value)) {
		return 0, 0, 0, false, nil
	}
	return m.Mode & unix.S_IFMT, m.Major, m.Minor, true, nil
}

// KeepXattr is setxattr(2) of a name that the kernel refuses: it is kept beside the file and counts as its xattr. flags are
// XATTR_CREATE and XATTR_REPLACE. Errors are the kernel's: EPERM for what a file of its type cannot carry
// (symbolic links, fifos, sockets, device nodes) and for names that no layer may have.
func KeepXattr(h Handle, name string, value []byte, flags int) error {
	if !h.holdsUser() || layers.IsOurs(name) || name == "" {
		return unix.EPERM
	}
	if len(layers.XattrKept)+len(name) > layers.MaxXattrName {
		return unix.ERANGE
	}
	return h.setXattr(layers.XattrKept+name, value, flags)
}

// KeptXattr returns the value of an xattr that is kept; ok is false if there is none.
func KeptXattr(h Handle, name string) (value []byte, ok bool, err error) {
	if !h.holdsUser() || layers.IsOurs(name) {
		return nil, false, nil
	}
	return h.Xattr(layers.XattrKept + name)
}

// ForgetXattr is removexattr(2) of an xattr that is kept: ENODATA if there is none.
func ForgetXattr(h Handle, name string) error {
	_, ok, err := KeptXattr(h, name)
	if err != nil {
		return err
	}
	if !ok {
		return unix.ENODATA
	}
	return h.RemoveXattr(layers.XattrKept + name)
}

// ShownXattrs is listxattr(2) with the records put back: the file's own names and those that are kept, without xtoo's. A
// security.capability that is the record of an owner is left out. differ says that these are not the names that the kernel lists.
func ShownXattrs(h Handle) (shown []string, differ bool, err error) {
	names, err := h.listXattrs()
	if err != nil {
		return nil, false, err
	}
	shown = make([]string, 0, len(names))
	seen := map[string]bool{}
	for _, name := range names {
		name, kept := strings.CutPrefix(name, layers.XattrKept)
		record, err := IsRecord(h, name)
		if err != nil {
			return nil, false, err
		}
		differ = differ || kept || record
		if !record && !seen[name] {
			seen[name] = true
			shown = append(shown, name)
		}
	}
	return shown, differ, nil
}

// IsRecord reports whether an xattr is one that xtoo keeps records in, which a script must neither see nor write: its own
// names, and a security.capability of what cannot carry user xattrs that is the record of an owner. It costs nothing but
// for the latter.
func IsRecord(h Handle, name string) (bool, error) {
	if name != layers.XattrCapability || h.holdsUser() {
		return name == "" || layers.IsOurs(name), nil
	}
	_, is, err := h.recorded()
	return is, err
}
