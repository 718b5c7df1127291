package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A volume is one of Spec.Mounts, understood.
type volume struct {
	target    string
	source    string // of a bind
	tmpfs     bool
	recursive bool
	readonly  bool
	flags     uintptr // nosuid, nodev, noexec
	data      string  // options of a tmpfs
}

// parseVolume understands a mount of a runtime specification, or says what of it is not supported.
func parseVolume(m specs.Mount) (*volume, error) {
	if !path.IsAbs(m.Destination) || path.Clean(m.Destination) == "/" {
		return nil, fmt.Errorf("volume %q: the destination must be an absolute path below /", m.Destination)
	}
	if len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 {
		return nil, unsupported("mounts: id mappings of " + m.Destination)
	}
	v := &volume{target: path.Clean(m.Destination), source: m.Source, recursive: true}
	bind := m.Type == "bind"
	var data []string
	for _, o := range m.Options {
		switch o {
		case "bind":
			bind, v.recursive = true, false
		case "rbind":
			bind, v.recursive = true, true
		case "ro":
			v.readonly = true
		case "rw", "suid", "dev", "exec", "private", "rprivate": // as it is
		case "nosuid":
			v.flags |= unix.MS_NOSUID
		case "nodev":
			v.flags |= unix.MS_NODEV
		case "noexec":
			v.flags |= unix.MS_NOEXEC
		default:
			name, _, _ := strings.Cut(o, "=")
			if m.Type != "tmpfs" || name != "size" && name != "mode" && name != "nr_inodes" {
				return nil, unsupported(fmt.Sprintf("mounts: option %q of %s", o, m.Destination))
			}
			data = append(data, o)
		}
	}
	switch {
	case m.Type == "tmpfs" && !bind:
		v.tmpfs, v.data = true, strings.Join(data, ",")
	case bind && (m.Type == "bind" || m.Type == "" || m.Type == "none"):
		if m.Source == "" {
			return nil, fmt.Errorf("volume %q: no source", m.Destination)
		}
	default:
		return nil, unsupported(fmt.Sprintf("mounts: type %q of %s", m.Type, m.Destination))
	}
	return v, nil
}

// openVolumes opens the sources on the host.
func openVolumes(mounts []specs.Mount) ([]*volume, []*os.File, error) {
	var all []*volume
	var files []*os.File
	for _, m := range mounts {
		v, err := parseVolume(m)
		if err != nil {
			return nil, nil, err
		}
		var f *os.File
		if !v.tmpfs {
			if f, err = openPath(v.source, 0); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil, nil, &host.Error{
						Err:  fmt.Errorf("volume %s: the source %s does not exist: %w", v.target, v.source, err),
						Hint: "make it: mkdir -p " + v.source,
					}
				}
				return nil, nil, fmt.Errorf("volume %s: source: %w", v.target, err)
			}
		}
		all, files = append(all, v), append(files, f)
	}
	return all, files, nil
}

// mountVolume mounts one.
func (g *guest) mountVolume(v *volume, source *os.File) error {
	if v.tmpfs {
		flags := v.flags | unix.MS_NOSUID | unix.MS_NODEV
		if v.readonly {
			flags |= unix.MS_RDONLY
		}
		_, err := g.mount("tmpfs", v.target, flags, v.data)
		return err
	}
	at, err := g.bind(source, v.target, v.recursive)
	if errors.Is(err, unix.EINVAL) && !v.recursive {
		return &host.Error{
			Err:  fmt.Errorf("volume %s: %w", v.target, err),
			Hint: "something else is mounted below " + v.source + ", and the kernel does not let it be uncovered: use the option rbind",
		}
	}
	if err != nil {
		return fmt.Errorf("volume %s: %w", v.target, err)
	}
	if v.flags != 0 {
		if err := addFlags(at, v.flags); err != nil {
			return err
		}
	}
	if v.readonly {
		return setReadonly(at)
	}
	return nil
}

// addFlags restricts a mount further, keeping the flags it has.
func addFlags(at string, flags uintptr) error {
	var set uint64
	for _, f := range []struct {
		ms   uintptr
		attr uint64
	}{{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID}, {unix.MS_NODEV, unix.MOUNT_ATTR_NODEV}, {unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC}} {
		if flags&f.ms != 0 {
			set |= f.attr
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: set}); err != nil {
		return &os.PathError{Op: "restrict mount", Path: at, Err: err}
	}
	return nil
}
