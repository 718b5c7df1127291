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

	"xtoo/chroot/host"
)

// A controlGroup bounds the memory and the processes of a node (cgroups(7), version 2). It lies beside the group of this
// process, or as far above as this user may make one. Init goes into it while it starts the process, and then back to where it
// came from, so that neither the process nor the limit has to do with init's own threads.
type controlGroup struct {
	dir   string
	procs *os.File // cgroup.procs, open for writing
	pids  *os.File // pids.max, if there is such a limit
	most  int64    // what it is to say
	back  *os.File // cgroup.procs of the group that this process is in; nil where this user may not write to it
}

// errNoControlGroup: this user may make none here.
var errNoControlGroup = errors.New("there is no control group (version 2) that this user may write to")

// ownGroup finds the tree of groups, and what /proc/self/cgroup says of this process.
func ownGroup() (root string, own []byte, err error) {
	own, err = os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(root, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return root, own, nil
		}
	}
	return "", nil, errNoControlGroup
}

// newControlGroup makes a group with limits, of which 0 means none. The caller removes it.
func newControlGroup(memory, pids int64) (*controlGroup, error) {
	root, own, err := ownGroup()
	if err != nil {
		return nil, err
	}
	return makeControlGroup(root, own, memory, pids)
}

// controlGroupFinding says whether memory and processes of nodes can be limited. It makes nothing.
func controlGroupFinding() host.Finding {
	root, own, err := ownGroup()
	if err == nil {
		if _, at := groupPlace(root, own, 1, 1); at != "" {
			return host.Finding{Name: "control group", State: host.StateOK, Detail: "memory and processes of nodes can be limited, below " + at}
		}
		err = errNoControlGroup
	}
	return host.Finding{
		Name: "control group", State: host.StateWarn, Detail: err.Error(),
		Hint: "start xtoo with " + startInGroup + " (only nodes with memory or pids need it)",
	}
}

// startInGroup is how a process comes by a group in which it may do as it likes.
const startInGroup = "`systemd-run --user --scope` (as root, without --user)"

// makeControlGroup makes a group. own is /proc/self/cgroup.
func makeControlGroup(root string, own []byte, memory, pids int64) (*controlGroup, error) {
	from, at := groupPlace(root, own, memory, pids)
	if at == "" {
		return nil, errNoControlGroup
	}
	removeDead(at)
	dir, err := os.MkdirTemp(at, fmt.Sprintf("%s%d-", groupPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoControlGroup, err)
	}
	g := &controlGroup{dir: dir, most: pids}
	if err := g.open(from, memory); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// groupPlace looks for a place from the group of this process upwards. It has the controllers, and this user may make groups
// in it and move processes between those: for that he must be allowed to in what lies above both.
func groupPlace(root string, own []byte, memory, pids int64) (from, at string) {
	for line := range strings.Lines(string(own)) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::/"); ok && filepath.IsLocal(filepath.Join(".", p)) {
			from = filepath.Join(root, p)
		}
	}
	for at = from; at != "" && isBelow(at, root); at = filepath.Dir(at) {
		has, err := os.ReadFile(filepath.Join(at, "cgroup.subtree_control"))
		all := strings.Fields(string(has))
		if err != nil || memory > 0 && !slices.Contains(all, "memory") || pids > 0 && !slices.Contains(all, "pids") {
			continue
		}
		if unix.Access(at, unix.W_OK) == nil && unix.Access(filepath.Join(at, procsFile), unix.W_OK) == nil {
			return from, at
		}
	}
	return "", ""
}

// procsFile lists the processes of a group, and takes in those that are written to it.
const procsFile = "cgroup.procs"

// groupPrefix is what the names of groups begin with; the id of the process that made them follows.
const groupPrefix = "xtoo-"

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

// open bounds the memory and opens the files that init needs. from is the group of this process.
func (g *controlGroup) open(from string, memory int64) error {
	if memory > 0 {
		if err := g.set("memory.max", strconv.FormatInt(memory, 10)); err != nil {
			return err
		}
		// Without swap the limit is one of all memory. Not every kernel has the file.
		if err := g.set("memory.swap.max", "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	var err error
	if g.procs, err = os.OpenFile(filepath.Join(g.dir, procsFile), os.O_WRONLY, 0); err != nil {
		return err
	}
	if g.most > 0 {
		if g.pids, err = os.OpenFile(filepath.Join(g.dir, "pids.max"), os.O_WRONLY, 0); err != nil {
			return err
		}
	}
	if g.back, err = os.OpenFile(filepath.Join(from, procsFile), os.O_WRONLY, 0); err != nil {
		g.back = nil // not this user's: init stays, and counts
	}
	return nil
}

// set writes to a file of the group. One that is not there is not asked for: the kernel would answer that it is forbidden.
func (g *controlGroup) set(name, value string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return tell(f, value)
}

// A groupArgs says what init gets of a control group: open files, from file 1 on.
type groupArgs struct {
	Files int   // how many; 0: there is no group
	Pids  int64 // the limit of processes that init sets; 0: none
	Back  bool  // the last file is the one that leads back
}

// around starts a process in the group. Its processes are bounded when init has left again: it would count with all of
// its threads.
func (a groupArgs) around(file func(int) *os.File, start func() (int, error)) (int, error) {
	if a.Files == 0 {
		return start()
	}
	if err := tell(file(1), "0"); err != nil {
		return 0, fmt.Errorf("go into a control group: %w", err)
	}
	pid, err := start()
	if a.Back {
		err = errors.Join(err, tell(file(a.Files), "0"))
	}
	if a.Pids > 0 {
		err = errors.Join(err, tell(file(2), strconv.FormatInt(a.Pids, 10)))
	}
	return pid, err
}

// tell writes to a file of the kernel's, and closes it.
func tell(f *os.File, value string) error {
	_, err := f.WriteString(value)
	return errors.Join(err, f.Close())
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

// files are those that are open.
func (g *controlGroup) files() []*os.File {
	return slices.DeleteFunc([]*os.File{g.procs, g.pids, g.back}, func(f *os.File) bool { return f == nil })
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
	for _, f := range g.files() {
		err = errors.Join(err, f.Close())
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

// files are what init needs of it, and say what they are.
func (b bounds) files() ([]*os.File, groupArgs) {
	if b.group == nil {
		return nil, groupArgs{}
	}
	files := b.group.files()
	return files, groupArgs{Files: len(files), Pids: b.group.most, Back: b.group.back != nil}
}

// notes say which limits were reached, or why there are none.
func (b bounds) notes() []string {
	switch {
	case b.err != nil:
		return []string{fmt.Sprintf("memory and pids are not limited: %v: start xtoo with %s", b.err, startInGroup)}
	case b.group != nil:
		return b.group.reached()
	}
	return nil
}

// explain says of a process that could not be started which limits were in the way.
func (b bounds) explain(err error) error {
	if err == nil || b.group == nil {
		return err
	}
	reached := b.group.reached()
	if len(reached) == 0 {
		return err
	}
	return &host.Error{Err: fmt.Errorf("%w (%s)", err, strings.Join(reached, "; ")), Hint: "raise `memory` or `pids` of the node"}
}

// end removes the group when every process has ended.
func (b bounds) end() error {
	if b.group == nil {
		return nil
	}
	return b.group.remove()
}
