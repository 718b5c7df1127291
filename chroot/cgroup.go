package chroot

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A controlGroup bounds the memory and the processes of a node (cgroups(7), version 2). It lies beside the group of this
// process, or as far above as this user may make one; init goes into it before it starts the process.
type controlGroup struct {
	dir   string
	procs *os.File // cgroup.procs, open for writing
}

// errNoControlGroup: this user may make none here.
var errNoControlGroup = errors.New("there is no control group (version 2) that this user may write to")

// newControlGroup makes a group with limits, of which 0 means none. The caller removes it.
func newControlGroup(memory, pids int64) (*controlGroup, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return makeControlGroup(root, own, memory, pids)
		}
	}
	return nil, errNoControlGroup
}

// makeControlGroup looks for a place from the group of this process upwards. own is /proc/self/cgroup.
func makeControlGroup(root string, own []byte, memory, pids int64) (*controlGroup, error) {
	var at string
	for line := range strings.Lines(string(own)) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::/"); ok && filepath.IsLocal(filepath.Join(".", p)) {
			at = filepath.Join(root, p)
		}
	}
	if at == "" {
		return nil, errNoControlGroup
	}
	limits := map[string]int64{}
	if memory > 0 {
		limits["memory"] = memory
	}
	if pids > 0 {
		limits["pids"] = pids
	}
	for ; isBelow(at, root); at = filepath.Dir(at) {
		has, err := os.ReadFile(filepath.Join(at, "cgroup.subtree_control"))
		if err != nil {
			continue
		}
		if !hasAll(strings.Fields(string(has)), limits) {
			continue
		}
		removeDead(at)
		dir, err := os.MkdirTemp(at, fmt.Sprintf("%s%d-", groupPrefix, os.Getpid()))
		if err != nil {
			continue
		}
		g := &controlGroup{dir: dir}
		if err := g.limit(limits); err != nil {
			return nil, errors.Join(err, g.remove())
		}
		return g, nil
	}
	return nil, errNoControlGroup
}

// groupPrefix is what the names of groups begin with; the id of the process that made them follows.
const groupPrefix = "xtoo-"

func hasAll(controllers []string, limits map[string]int64) bool {
	for name := range limits {
		if !slices.Contains(controllers, name) {
			return false
		}
	}
	return true
}

// removeDead removes the groups of processes that were killed. One that is in use cannot be removed.
func removeDead(at string) {
	all, err := filepath.Glob(filepath.Join(at, groupPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range all {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), groupPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && errors.Is(unix.Kill(n, 0), unix.ESRCH) {
			_ = unix.Rmdir(dir) // another may do it at the same time
		}
	}
}

// limit sets the limits and opens the file through which processes come in.
func (g *controlGroup) limit(limits map[string]int64) error {
	for name, most := range limits {
		if err := os.WriteFile(filepath.Join(g.dir, name+".max"), strconv.AppendInt(nil, most, 10), 0o644); err != nil {
			return fmt.Errorf("limit %s: %w", name, err)
		}
	}
	// Without swap the limit is one of all memory. Not every kernel has the file.
	if _, ok := limits["memory"]; ok {
		_ = os.WriteFile(filepath.Join(g.dir, "memory.swap.max"), []byte("0"), 0o644)
	}
	var err error
	g.procs, err = os.OpenFile(filepath.Join(g.dir, "cgroup.procs"), os.O_WRONLY, 0)
	return err
}

// enterGroup brings this process into the group whose file this is, and closes it.
func enterGroup(procs *os.File) error {
	_, err := procs.WriteString("0")
	if err = errors.Join(err, procs.Close()); err != nil {
		return fmt.Errorf("go into the control group: %w", err)
	}
	return nil
}

// reached says, in words, which limits stood in the way.
func (g *controlGroup) reached() []string {
	var notes []string
	if n := g.event("memory.events", "oom_kill"); n > 0 {
		notes = append(notes, fmt.Sprintf("memory: the limit was reached, and %d processes were killed", n))
	}
	if n := g.event("pids.events", "max"); n > 0 {
		notes = append(notes, fmt.Sprintf("pids: the limit was reached, and %d processes could not be started", n))
	}
	return notes
}

// event reads a count. 0 where there is none.
func (g *controlGroup) event(file, name string) int64 {
	data, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, _ := strconv.ParseInt(value, 10, 64) // 0 is as good as none
			return n
		}
	}
	return 0
}

// remove removes the group, which its last process may only just be leaving.
func (g *controlGroup) remove() error {
	var err error
	if g.procs != nil {
		err = g.procs.Close()
	}
	for end := time.Now().Add(time.Second); ; {
		rmErr := unix.Rmdir(g.dir)
		if !errors.Is(rmErr, unix.EBUSY) || time.Now().After(end) {
			if rmErr != nil {
				rmErr = &os.PathError{Op: "remove control group", Path: g.dir, Err: rmErr}
			}
			return errors.Join(err, rmErr)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// bounds are the control group of a node, or the reason why there is none.
type bounds struct {
	group *controlGroup
	err   error
}

// newBounds makes a control group where there is a limit.
func newBounds(memory, pids int64) (b bounds) {
	if memory > 0 || pids > 0 {
		b.group, b.err = newControlGroup(memory, pids)
	}
	return b
}

// files are what init needs of it.
func (b bounds) files() []*os.File {
	if b.group == nil {
		return nil
	}
	return []*os.File{b.group.procs}
}

// notes say which limits were reached, or why there are none.
func (b bounds) notes() []string {
	switch {
	case b.err != nil:
		return []string{fmt.Sprintf("memory and pids are not limited: %v: "+
			"start xtoo with `systemd-run --user --scope`, or in a container that has a control group of its own", b.err)}
	case b.group != nil:
		return b.group.reached()
	}
	return nil
}

// end removes the group when every process has ended.
func (b bounds) end() error {
	if b.group == nil {
		return nil
	}
	return b.group.remove()
}
