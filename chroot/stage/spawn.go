package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A child is a process of this program that this process has started.
type child struct {
	process *os.Process
	stderr  *os.File
	ended   chan struct{} // closed when it has been waited for
	how     string        // how it ended, and its first words; to be read after ended
}

// spawn clones a process and has it execute this program, which gets its ids a moment later: see awaitIDs.
// It is done on a thread of its own which lives as long as the child: the parent-death signal comes at the death of the thread
// that cloned, not of the process.
func spawn(ctx context.Context, h *host.Host, self program, kinds uintptr, env []string, files []*os.File) (*child, error) {
	stderr, err := crashFile()
	if err != nil {
		return nil, err
	}
	c := &child{stderr: stderr, ended: make(chan struct{})}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, c.stderr.Close())
	}
	defer null.Close() // nothing was written
	mapped, tell, err := blockingPipe()
	if err != nil {
		return nil, errors.Join(err, c.stderr.Close())
	}
	attr := &os.ProcAttr{Files: slices.Concat([]*os.File{null, c.stderr, c.stderr}, files, []*os.File{mapped}), Env: env, Sys: host.LateAttributes(kinds)}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		// The threads of the child inherit it. Those of the Go runtime sleep for 20 µs, very often, and each time that
		// costs as much again; they may as well sleep longer. init gives its payload back what is usual.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) // a bonus
		defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }()
		usual := unix.SchedAttr{Size: unix.SizeofSchedAttr}
		_ = unix.SchedSetAttr(0, &usual, 0) // root's nice value, say, is not for what it starts; others may not lower theirs
		path, err := self(attr.Files)
		if err == nil {
			c.process, err = os.StartProcess(path, []string{os.Args[0]}, attr)
		}
		if err != nil {
			if failed := (*os.PathError)(nil); errors.As(err, &failed) { // its path says nothing to anybody
				err = fmt.Errorf("start a process in new namespaces: %w", failed.Err)
			}
			started <- errors.Join(host.ExplainStart(err, attr.Sys.Cloneflags), c.stderr.Close())
			return
		}
		// Before it is waited for: as long as it is not, its number is nobody else's.
		if err = giveIDs(ctx, h, c.process.Pid, tell); err != nil {
			c.kill()
		}
		started <- err
		c.wait()
	}()
	err = <-started
	if err = errors.Join(err, mapped.Close(), tell.Close()); err != nil {
		if c.process != nil {
			c.kill()
			<-c.ended
		}
		return nil, err
	}
	return c, nil
}

// crashFile makes the file for what the Go runtime says when it crashes, and nothing else: an anonymous one, which needs no
// reader, and cannot grow.
func crashFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("xtoo-stage-stderr", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make an anonymous file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "stderr of a stage")
	err = f.Truncate(maxSaid)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make an anonymous file: %w", err), f.Close())
	}
	return f, nil
}

// blockingPipe makes a pipe that is not inherited.
func blockingPipe() (read, write *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe of a stage"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

// mapsTimeout bounds what newuidmap and newgidmap may take, which may ask a directory service.
const mapsTimeout = time.Minute

// giveIDs writes the maps of a process and tells it so.
func giveIDs(ctx context.Context, h *host.Host, pid int, tell *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, mapsTimeout)
	defer cancel()
	if err := h.WriteMaps(ctx, pid); err != nil {
		return err
	}
	if _, err := tell.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell a stage that it has ids: %w", err)
	}
	return nil
}

// awaitIDs waits in the new process until its maps are written. The pipe is at the number behind its files.
func awaitIDs(fd int) error {
	pipe := os.NewFile(uintptr(fd), "pipe of the ids")
	var b [1]byte
	_, err := io.ReadFull(pipe, b[:])
	if err = errors.Join(err, pipe.Close()); err != nil {
		return fmt.Errorf("wait for ids: %w", err)
	}
	return nil
}

// timerSlack is by how much the sleep of a thread may be prolonged, in nanoseconds.
const timerSlack = 1_000_000

// wait reaps the process.
func (c *child) wait() {
	state, err := c.process.Wait()
	if err != nil {
		c.how = err.Error()
	} else {
		c.how = state.String()
	}
	if said := strings.TrimSpace(firstWords(c.stderr)); said != "" {
		c.how += ": " + said
	}
	_ = c.stderr.Close() // an anonymous file
	close(c.ended)
}

func (c *child) kill() { _ = c.process.Kill() } // fails only when it has ended

// maxSaid is how much of what a crashing process says is kept: the beginning tells what, the rest is its stacks.
const maxSaid = 4096

// firstWords reads the beginning of what a process wrote to its standard error.
func firstWords(f *os.File) string {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxSaid))
	if err != nil {
		return "" // it was a bonus
	}
	return strings.TrimRight(string(data), "\x00")
}

// initialEnv is all that the environment block of a process holds: see stageVar. procs is its GOMAXPROCS.
func initialEnv(procs int, defaults ...string) []string {
	env := []string{
		stageVar + "=" + strconv.Itoa(controlFD), "GOMAXPROCS=" + strconv.Itoa(procs),
		// Otherwise the runtime keeps files of the host's cgroups open, where a script finds them in /proc/1/fd.
		"GODEBUG=" + strings.TrimPrefix(os.Getenv("GODEBUG")+",containermaxprocs=0,updatemaxprocs=0", ","),
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GORACE", "GOTRACEBACK", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
			continue
		}
		for _, d := range defaults {
			if strings.HasPrefix(d, name+"=") {
				env = append(env, d)
			}
		}
	}
	return env
}
