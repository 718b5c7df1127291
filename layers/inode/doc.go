// Package inode reads and writes single files of a layer directory by handle, so that nothing in a tree can lead out of
// it: owner, mode, times, xattrs, access control lists, capabilities. What the kernel refuses to a user namespace it
// records beside the file, and gives back when the file is read:
//
//	owner outside of the map   xattr user.rootlesscontainers; the file is 65535's (see owner.go). Of what cannot carry
//	                           user xattrs (links, fifos, sockets, device nodes): xattr security.capability (owner_cap.go)
//	device node                an empty file with the xattr user.xtoo.device: "c 5 1"
//	any other xattr            user.xtoo.xattr.NAME
//	mode of a directory        with a single id, where its owner could not empty it: user.xtoo.mode (mode.go)
//
// The records are a part of the file. So whoever records what a script asks for while it runs ([Chown], [RecordDevice],
// [KeepXattr]) does it on the file alone: it may be renamed, linked, copied up or removed by anybody afterwards.
//
// It must not know streams, nor trees: see layers/tree. It runs as root of the user namespace that the files belong to.
package inode
