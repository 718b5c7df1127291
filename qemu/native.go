package qemu

// CPUVar names the environment variable from which qemu's user mode emulators take the processor that they are to be,
// as from their option -cpu: what binfmt_misc registers has no options.
const CPUVar = "QEMU_CPU"

// RunsAsCompat reports whether machines of this architecture may execute programs of the other one themselves, as
// those of their own 32-bit kind: many do, and whether this one does has to be tried.
func (a Arch) RunsAsCompat(other Arch) bool {
	switch a.Architecture {
	case "amd64":
		return other.Architecture == "386"
	case "arm64":
		return other.Architecture == "arm"
	}
	return false
}
