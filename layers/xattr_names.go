package layers

import (
	"slices"
	"strings"

	rootlesscontainers "github.com/rootless-containers/proto/go-proto"
)

// XattrOwner is the record of an owner that the kernel refused (https://github.com/rootless-containers/proto).
const XattrOwner = rootlesscontainers.Keyname

// xtoo's own xattrs in a layer directory. They never reach a tar, and are not taken from one.
const (
	// XattrDevice on an empty regular file says that it stands for a device: "c 5 1" or "b 7 0".
	// No user namespace may make devices.
	XattrDevice = "user.xtoo.device"
	// XattrKept before the name of an xattr that the kernel refused.
	XattrKept = "user.xtoo.xattr."
	// XattrMode on a directory is its mode in octal digits where that is not the one on the disk: "555". With a single id a
	// directory that its owner could not empty would stand in the way of removing the layer directory.
	XattrMode = "user.xtoo.mode"
	// XattrImplied on the root of a layer directory says that the layer does not have the root itself, so that
	// its mode, owner, time and xattrs mean nothing and those of the next lower layer hold.
	XattrImplied = "user.xtoo.implied"
	// XattrCopied on a file says what overlayfs says with [XattrOrigin], where there is no overlay: that a lower layer has it.
	XattrCopied = "user.xtoo.copied"
)

// overlayfs's own xattrs, of a mount with the option userxattr.
const (
	XattrOverlay  = "user.overlay."
	XattrOpaque   = XattrOverlay + "opaque"
	XattrOrigin   = XattrOverlay + "origin"
	XattrRedirect = XattrOverlay + "redirect"
	XattrMetacopy = XattrOverlay + "metacopy"
)

// Attributes that mean something to the kernel, and limits of all, in bytes: XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h.
const (
	XattrACL        = "system.posix_acl_access"
	XattrDefaultACL = "system.posix_acl_default"
	XattrCapability = "security.capability"
	MaxXattrName    = 255
	MaxXattrValue   = 65536
)

// labels are written by the host's security modules to every file they see and mean nothing on another
// host. They are neither set nor read; those from a tar are kept beside the file.
var labels = []string{"security.selinux", "security.apparmor", "security.ima", "security.evm", "security.SMACK64"}

// IsLabel reports whether an xattr is a security module's, which belongs to a host and not to a layer's file.
func IsLabel(name string) bool {
	return slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(name, l) })
}

// IsOurs reports whether an xattr is part of the format of a layer directory and not of the file.
func IsOurs(name string) bool {
	return name == XattrOwner || name == XattrDevice || name == XattrMode || name == XattrImplied || name == XattrCopied || strings.HasPrefix(name, XattrKept) ||
		strings.HasPrefix(name, XattrOverlay) || strings.HasPrefix(name, "trusted.overlay.")
}

// InLayers reports whether an xattr found on disk belongs in a layer.
func InLayers(name string) bool {
	switch {
	case IsOurs(name) || IsLabel(name):
		return false
	case name == XattrACL || name == XattrDefaultACL:
		return true
	}
	// Others (system.nfs4_acl, btrfs.compression) are the host file system's own.
	space, _, _ := strings.Cut(name, ".")
	return space == "user" || space == "trusted" || space == "security"
}
