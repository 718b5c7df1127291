package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// nosuid and friends, for file systems that hold no programs.
const noAll = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mountSystem mounts what every script finds: /proc, /sys, /dev, /run, /tmp.
func (g *guest) mountSystem(a *nodeArgs, src *sources) error {
	if err := g.mountProc(a.Guard); err != nil {
		return err
	}
	if err := g.mountSys(a.Network, src.sys); err != nil {
		return err
	}
	if err := g.mountDev(a, src.devices); err != nil {
		return err
	}
	if _, err := g.mountFresh(freshDir{path: "/tmp", mode: 0o1777, clear: a.ClearFresh}, "size="+a.Tmpfs.Tmp); err != nil {
		return err
	}
	at, err := g.mountFresh(freshDir{path: "/run", mode: 0o755, owned: "xtoo", clear: a.ClearFresh}, "size="+a.Tmpfs.Run)
	if err != nil {
		return err
	}
	// Held open, so that what follows is in it even where links of the image let another mount hide it.
	g.run, err = os.OpenRoot(at)
	return err
}

// mountProc mounts a fresh /proc.
func (g *guest) mountProc(guard bool) error {
	at, err := g.mount("proc", "/proc", noAll, "")
	if err != nil {
		return explainProc(err)
	}
	if !guard {
		return nil
	}
	// The kernel lets the real id 0 write to these whatever its namespace, and sysrq-trigger reboots.
	return g.makeReadonly(path.Join(at, "sys"), path.Join(at, "sysrq-trigger"), path.Join(at, "irq"),
		path.Join(at, "bus"), path.Join(at, "fs"), path.Join(at, "acpi"), path.Join(at, "asound"), path.Join(at, "scsi"),
		path.Join(at, "driver"), path.Join(at, "dynamic_debug"), path.Join(at, "mtrr"))
}

// explainProc words why a fresh /proc is refused, or a setting in the one of a container.
func explainProc(err error) error {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EROFS) {
		return err
	}
	return &host.Error{Err: err, Hint: "parts of this machine's /proc are hidden or read-only, as in most containers, and then the kernel lets nobody mount a whole one: " +
		"start the container with `--security-opt unmask=ALL` (podman), `--security-opt systempaths=unconfined` (docker) or `--privileged`"}
}

// makeReadonly binds paths of the guest over themselves, read-only. What does not exist needs no protection.
func (g *guest) makeReadonly(paths ...string) error {
	for _, p := range paths {
		at, err := resolve(p)
		if err != nil {
			return err
		}
		source, err := openPath(at, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		mounted, err := g.bind(source, at, true)
		if err == nil {
			err = setReadonly(mounted)
		}
		if err = errors.Join(err, source.Close()); err != nil {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	return nil
}

// mask hides paths of the guest: directories behind an empty one, files behind /dev/null.
func (g *guest) mask(null *os.File, paths []string) error {
	for _, p := range paths {
		at, err := resolve(p)
		if err != nil {
			return err
		}
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			_, err = g.mount("tmpfs", at, noAll|unix.MS_RDONLY, "mode=0755,nr_inodes=1")
		} else {
			_, err = g.bind(null, at, false)
		}
		if err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
	}
	return nil
}

// mountSys mounts a sysfs of the network namespace's own, or binds the host's when the network is the host's;
// read-only in both cases.
func (g *guest) mountSys(n Network, host *os.File) error {
	if n == NetworkNone {
		_, err := g.mount("sysfs", "/sys", noAll|unix.MS_RDONLY, "")
		if err == nil || !errors.Is(err, unix.EPERM) {
			return err
		} // hidden in parts, like /proc: the host's will do
	}
	at, err := g.bind(host, "/sys", true)
	if err != nil {
		return err
	}
	return setReadonly(at)
}

// setReadonly makes a mount and all mounts below it read-only.
func setReadonly(at string) error {
	err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) { // before Linux 5.12, or where a filter does not know it
		return &os.PathError{Op: "make read-only", Path: at, Err: err}
	}
	points, err := mountsBelow(at)
	if err != nil {
		return err
	}
	for _, p := range points {
		if err := remountReadonly(p); err != nil {
			return err
		}
	}
	return nil
}

// remountReadonly makes one mount read-only, and keeps its other flags: some may not be taken off.
func remountReadonly(p string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(p, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: p, Err: err}
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY)
	for _, f := range []struct{ st, ms uintptr }{
		{unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV}, {unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME}, {unix.ST_NODIRATIME, unix.MS_NODIRATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(st.Flags)&f.st != 0 {
			flags |= f.ms
		}
	}
	if err := unix.Mount("", p, "", flags, ""); err != nil {
		return &os.PathError{Op: "make read-only", Path: p, Err: err}
	}
	return nil
}

// mountsBelow lists the mount points at and below a path of the guest, from /proc/self/mountinfo (proc(5)), whose paths begin
// at the root of the process that reads it.
func mountsBelow(at string) ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		p := unescape.Replace(fields[4])
		if p == at || strings.HasPrefix(p, at+"/") {
			points = append(points, p)
		}
	}
	slices.Sort(points)
	return slices.Compact(points), nil
}
