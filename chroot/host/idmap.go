package host

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxRanges is how many lines the kernel takes in a map (user_namespaces(7)); the first is the user's own id.
const maxRanges = 340

// subordinateIDs returns the ranges that a file like /etc/subuid (subuid(5)) gives to a user, by name or number,
// in the order of the file.
func subordinateIDs(path, name string, uid int) ([]user.SubID, error) {
	number := strconv.Itoa(uid)
	ranges, err := user.ParseSubIDFileFilter(path, func(s user.SubID) bool {
		return (s.Name == name || s.Name == number) && s.Count > 0
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(ranges) == 0 {
		start, err := freeRange(path)
		if err != nil {
			return nil, err
		}
		return nil, &missingError{
			text: fmt.Sprintf("%s has no line for user %s", path, name),
			hint: fmt.Sprintf("add the line %s:%d:65536 to /etc/subuid and to /etc/subgid, or as root: "+
				"usermod --add-subuids %[2]d-%[3]d --add-subgids %[2]d-%[3]d %[1]s", name, start, start+65535),
		}
	}
	return ranges[:min(len(ranges), maxRanges-1)], nil
}

// freeRange is where the next range may begin that nobody has in /etc/subuid or /etc/subgid, which stand beside
// each other.
func freeRange(path string) (int64, error) {
	start := int64(100000) // SUB_UID_MIN of login.defs(5)
	for _, name := range []string{"subuid", "subgid"} {
		all, err := user.ParseSubIDFile(filepath.Join(filepath.Dir(path), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		for _, r := range all {
			start = max(start, r.SubID+r.Count)
		}
	}
	return start, nil
}

// behindOwn maps 0 to the user's own id and the ranges from 1 on.
func behindOwn(own int, ranges []user.SubID) []specs.LinuxIDMapping {
	m := singleID(own)
	next := int64(1)
	for _, r := range ranges {
		if r.SubID < 0 || r.SubID+r.Count > 1<<32-1 || next+r.Count > 1<<32-1 {
			continue // no such ids: newuidmap would refuse the whole map
		}
		m = append(m, specs.LinuxIDMapping{ContainerID: uint32(next), HostID: uint32(r.SubID), Size: uint32(r.Count)})
		next += r.Count
	}
	return m
}

// singleID maps one id to 0.
func singleID(id int) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(id), Size: 1}}
}

// identity maps every id of m, as seen from inside of it, to itself.
func identity(m []specs.LinuxIDMapping) []specs.LinuxIDMapping {
	same := make([]specs.LinuxIDMapping, len(m))
	for i, r := range m {
		same[i] = specs.LinuxIDMapping{ContainerID: r.ContainerID, HostID: r.ContainerID, Size: r.Size}
	}
	return same
}

// countIDs says how many ids a map has.
func countIDs(m []specs.LinuxIDMapping) int64 {
	var n int64
	for _, r := range m {
		n += int64(r.Size)
	}
	return n
}

// HasUID says whether a user id, as seen from inside, is mapped.
func (h *Host) HasUID(id uint32) bool { return hasID(h.UIDs, id) }

// HasGID says whether a group id, as seen from inside, is mapped.
func (h *Host) HasGID(id uint32) bool { return hasID(h.GIDs, id) }

// RealRoot says whether id 0 inside is the real root's. The files of /proc/sys and /sys go by that id alone.
func (h *Host) RealRoot() bool { return h.UIDs[0].ContainerID == 0 && h.UIDs[0].HostID == 0 }

// CountUIDs says how many user ids are mapped.
func (h *Host) CountUIDs() int64 { return countIDs(h.UIDs) }

// CountGIDs says how many group ids are mapped.
func (h *Host) CountGIDs() int64 { return countIDs(h.GIDs) }

// hasID says whether id, as seen from inside, is in the map.
func hasID(m []specs.LinuxIDMapping, id uint32) bool {
	for _, r := range m {
		if id >= r.ContainerID && id-r.ContainerID < r.Size {
			return true
		}
	}
	return false
}

// firstOutside looks for an id on the outer side of m that is not on the inner side of own, the map of this process;
// true when there is none.
func firstOutside(own, m []specs.LinuxIDMapping) (uint32, bool) {
	for _, r := range m {
		for next, end := uint64(r.HostID), uint64(r.HostID)+uint64(r.Size); next < end; {
			found := false
			for _, o := range own {
				if first := uint64(o.ContainerID); next >= first && next < first+uint64(o.Size) {
					next, found = first+uint64(o.Size), true
					break
				}
			}
			if !found {
				return uint32(next), false
			}
		}
	}
	return 0, true
}

// readIDMap reads a file like /proc/self/uid_map.
func readIDMap(path string) ([]specs.LinuxIDMapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var m []specs.LinuxIDMapping
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r specs.LinuxIDMapping
		if _, err := fmt.Sscan(lines.Text(), &r.ContainerID, &r.HostID, &r.Size); err != nil {
			return nil, fmt.Errorf("read %s: line %q: %w", path, lines.Text(), err)
		}
		m = append(m, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("read %s: no ids are mapped in the namespace of this process", path)
	}
	return m, nil
}

// mapArgs are the arguments of newuidmap and newgidmap after the process id.
func mapArgs(m []specs.LinuxIDMapping) []string {
	args := make([]string, 0, 3*len(m))
	for _, r := range m {
		for _, n := range []uint32{r.ContainerID, r.HostID, r.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	return args
}
