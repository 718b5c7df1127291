package chroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"
)

// spawn clones the process and has it execute this program. It is done on a thread of its own which lives as long as the stage:
// the parent-death signal comes at the death of the thread that cloned, not of the process.
func (p *Process) spawn(h *Host, files []*os.File) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var err error
		p.child, err = os.StartProcess("/proc/self/exe", []string{os.Args[0]}, &os.ProcAttr{
			Files: files, Env: p.initialEnv(), Sys: h.attributes(p.command.namespaces),
		})
		started <- err
		if err != nil {
			return
		}
		p.state, p.waitErr = p.child.Wait()
		p.said = firstWords(p.stderr)
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return explainStart(hostFiles{}, err)
	}
	return nil
}

// attributes of the clone. Where the maps are written by programs, the child executes before it has an id: root's
// automatic gain of capabilities is not to be had then, so they all go over in the ambient set.
func (h *Host) attributes(namespaces uintptr) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | namespaces,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // the terminal's Ctrl-C is for the parent, who ends its stages in order
	}
	if h.newuidmap != "" {
		sys.AmbientCaps = allCapabilities()
		return sys
	}
	sys.UidMappings, sys.GidMappings = sysMap(h.UIDs), sysMap(h.GIDs)
	sys.GidMappingsEnableSetgroups = h.setgroups
	return sys
}

func sysMap(m []specs.LinuxIDMapping) []syscall.SysProcIDMap {
	s := make([]syscall.SysProcIDMap, len(m))
	for i, r := range m {
		// An int of 32 bits does not hold root's whole range: the upper half of all ids is nobody's.
		s[i] = syscall.SysProcIDMap{ContainerID: int(r.ContainerID), HostID: int(r.HostID), Size: int(min(uint64(r.Size), math.MaxInt))}
	}
	return s
}

// initialEnv is all that the environment block of a stage holds: see stageVar.
func (p *Process) initialEnv() []string {
	procs := p.command.Procs
	if procs <= 0 {
		procs = 2
	}
	env := []string{
		stageVar + "=" + strconv.Itoa(controlFD), "GOMAXPROCS=" + strconv.Itoa(procs),
		// Otherwise the runtime keeps files of the host's cgroups open, where a script finds them in /proc/1/fd.
		"GODEBUG=" + strings.TrimPrefix(os.Getenv("GODEBUG")+",containermaxprocs=0,updatemaxprocs=0", ","),
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GORACE", "GOTRACEBACK", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// writeMaps has newuidmap(1) and newgidmap(1) write the maps of a process.
func (h *Host) writeMaps(ctx context.Context, pid int) error {
	var group errgroup.Group
	group.Go(func() error { return h.writeMap(ctx, h.newuidmap, pid, h.UIDs) })
	group.Go(func() error { return h.writeMap(ctx, h.newgidmap, pid, h.GIDs) })
	return group.Wait()
}

func (h *Host) writeMap(ctx context.Context, program string, pid int, m []specs.LinuxIDMapping) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{strconv.Itoa(pid)}, mapArgs(m)...)...)
	cmd.Stderr, cmd.Env = &said, []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	err := cmd.Run()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(said.String())
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", program, errors.Join(ctx.Err(), err))
	}
	hint := "check that /etc/subuid and /etc/subgid give this user the ranges, or build with one id: " + TierVar + "=single"
	if state, kind := privilegeOf(program); state != StateOK {
		hint = kind
	}
	return &HostError{Err: fmt.Errorf("%w: %s: %w: %s", ErrNoNamespaces, program, err, text), Hint: hint}
}

// maxSaid is how much of what a crashing stage says is kept: the beginning tells what, the rest is its stacks.
const maxSaid = 4096

// firstWords reads the beginning of what a stage wrote to its standard error.
func firstWords(f *os.File) string {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxSaid))
	if err != nil {
		return "" // it was a bonus
	}
	return string(data)
}
