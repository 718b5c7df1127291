package layers

// Versions of security.capability (linux/capability.h, struct vfs_cap_data and vfs_ns_cap_data). Version 3 is
// version 2 with the id of a namespace's root at its end: the kernel writes it where version 2 is set inside a
// user namespace, and shows version 2 again inside the same one. The id means nothing in an image.
const (
	capRevision2 = 2
	capRevision3 = 3
	capSize2     = 20
	capSize3     = 24
)

// CapabilityV2 returns file capabilities without the id of the namespace they were set in. What is not of
// version 3 is returned as it is.
func CapabilityV2(value string) string {
	// The magic is little-endian with the revision in its highest byte.
	if len(value) != capSize3 || value[3] != capRevision3 {
		return value
	}
	return value[:3] + string([]byte{capRevision2}) + value[4:capSize2]
}
