package chroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// usualFiles is how many files a node has open at a time beside its layers and those that it is given, and some more.
const usualFiles = 24

// MaxLayers is how many layers a node has at most. See [mountOverlay].
const MaxLayers = 2*maxStack - 1

// maxGrace is the longest that a cancelled process has before it is killed.
const maxGrace = time.Second

// Network says what of the network a process sees.
type Network string

// The networks.
const (
	NetworkHost Network = "host" // the host's
	NetworkNone Network = "none" // a loopback interface, up
)

// A Node is one process in a root made of layers.
type Node struct {
	// Spec describes the process as runtime-spec does. Of it, these are obeyed: Process (Args, looked for in the
	// PATH of Env when without a slash; Env, exactly; Cwd, "" means /; User; Capabilities, nil means all, else without
	// CAP_SYS_ADMIN and CAP_SYS_PTRACE;
	// Rlimits of the kinds core, fsize, memlock, msgqueue, nice, nofile, nproc, rtprio, sigpending, stack; NoNewPrivileges),
	// Hostname ("" means localhost), Domainname, Mounts (types bind, also "" or "none" with the option bind or rbind, and tmpfs),
	// Linux.Namespaces (a network namespace without path means NetworkNone; user, mount, pid, ipc and uts
	// are always made), Linux.MaskedPaths, Linux.ReadonlyPaths, Linux.Personality. Annotations and Version are ignored;
	// everything else that is set is an error. Terminals, seccomp, cgroups, devices, hooks,
	// sysctls and security labels are among that.
	Spec *specs.Spec

	// Lowers are layer directories, the topmost first, at most [MaxLayers], in overlayfs's on-disk format with user
	// xattrs. With none, Upper itself is the root, without any overlay, and Work is not used.
	Lowers []string
	// Upper is the directory that receives what the process changes. It exists; its mode and owner become the root's.
	Upper string
	// Work is an empty directory on the file system of Upper, for this one Run. The kernel leaves a directory in it
	// that may have no permissions at all: remove it in a stage.
	Work string

	// Dirs are the directories that Lowers, Upper, Work and the HostPaths of Files lie below, if the caller knows: real root
	// then executes with ids that are nobody's, where the file systems and the kernel can map them.
	Dirs []string

	// User, if not empty, is who the process is, as images say it ("www", "www:games", "1000:100"), in place of the Spec's: names are
	// looked up in the root's /etc/passwd and /etc/group. It then has the user's HOME where Env has none, and a missing Cwd is made.
	User string

	// Files come into /run, by their path below it ("xtoo/script", "xtoo/secrets/password").
	Files map[string]RunFile

	// Output receives what the process and its children write to standard output and standard error, as it
	// comes, in order. nil discards it. An error of it cancels the node. It is not written to after Run returned.
	Output io.Writer

	// Input is the standard input: a pipe's end, which stays the caller's, and nothing by which the process could reach what is the
	// host's (no file, no terminal). That /dev/stdin can be opened, the pipe's mode must let everybody read. nil: /dev/null.
	Input *os.File
	// Errors receives what is written to standard error, in place of Output, and is used in the same way.
	Errors io.Writer
	// Terminal, if not nil, is what the process has in place of Input and Output, and of Errors if that is nil.
	Terminal *Terminal

	// Network is NetworkHost by default, or what Spec says.
	Network Network

	// OwnResolver leaves /etc/hosts and /etc/resolv.conf to the root, where the process may write and replace them. Where
	// it has no /etc/hosts, one for localhost is made, and removed when nobody has changed it. NetworkNone implies it.
	// Otherwise a fixed hosts file and the host's resolv.conf are mounted over them, read-only.
	OwnResolver bool

	// ClearFresh removes what the root has in /run and /tmp, where the process sees fresh directories.
	ClearFresh bool

	// Tmpfs says how much the file systems in memory hold.
	Tmpfs Tmpfs
	// Memory, in bytes, and Pids, processes and threads, are the most that the process and all its children may use. They need
	// a control group that this user may make: without one they are not enforced, which a note of the [Exit] says. 0: no limit.
	Memory, Pids int64

	// ReadBack shows to the process owners outside of the map, and device nodes, that are only recorded. Where a range of ids is
	// mapped that takes some microseconds for each stat(2), so that it is left out unless Lowers hold such records, or an [Exit]
	// asks for it; with one id it is always done.
	ReadBack bool

	// Steady: the process is expected to stay user 0, with all of its children, and no directory of Lowers passes on a group that only a
	// record tells. With one id this leaves more calls to the kernel; an [Exit] says if it was wrong. A process that begins as
	// another user is never taken to be so.
	Steady bool

	// Lists: directories of Lowers have default access control lists. With one id what these say of other ids is given to what is
	// made there, which costs some microseconds for each.
	Lists bool

	// Emulation says how the root's programs are executed: what [Host.Emulate] found for their architecture. The
	// zero value executes them as this machine's own.
	Emulation Emulation

	// gracePeriod is the time between SIGTERM and SIGKILL when the context ends. 0 means a second, which is also the most.
	gracePeriod time.Duration

	Log *slog.Logger // nil discards
}

// A RunFile is a file for /run, a directory or a symbolic link. Its owner is user 0, directories are made with mode 0755.
type RunFile struct {
	Content  []byte      // for a symbolic link: where it leads
	HostPath string      // copied instead of Content when not empty
	Mode     os.FileMode // permissions, or os.ModeSymlink or os.ModeDir; 0 means 0644
}

// An Exit says how the process of a node ended.
type Exit struct {
	Code   int            // exit code; 128 + Signal when a signal ended it, as shells have it
	Signal syscall.Signal // 0 when it exited

	// Notes are what the user should know, in words: what was left in a directory that is fresh for each node and may have been
	// meant for the root's; a limit that was reached, or cannot be enforced here.
	Notes []string

	// Exact: whatever the process asked for as root was done or recorded, although this user has fewer ids. What the
	// process changed is then what it would be for real root.
	Exact bool
	// Inexact says in what it may not be, in words.
	Inexact []string

	// Unread: the process was ended because it would have recorded what it could not read back. The node has to be begun anew
	// with ReadBack; nothing else here counts, nor what is in Upper.
	Unread bool
	// Unsteady: the process was ended because it is not what [Node].Steady says. The node has to be begun anew without; as with Unread
	// nothing else counts.
	Unsteady bool
}

// nodeArgs are the arguments of the stage.
type nodeArgs struct {
	Sent        sentSpec    // travels
	Spec        *specs.Spec `json:"-"` // what it was before, and is again in init
	Lowers      []string
	Upper       string
	Work        string
	User        string
	Files       map[string]RunFile
	Tmpfs       Tmpfs
	ClearFresh  bool
	Network     Network
	Grace       time.Duration
	OwnResolver bool
	ReadBack    bool
	Steady      bool
	Lists       bool
	Group       groupArgs // files from 1 on
	Trees       trees     // the files behind those
	Streams     streams
	TTYGid      bool       // group 5 (tty) is mapped
	Guard       bool       // id 0 is the id 0 of the host: protect the host's settings in /proc
	Ids         *host.Host // those of init, as init sees them

	Emulation Emulation
	OwnBinfmt bool // the namespace gets a binfmt_misc of its own
}

// Run executes a node and waits for its end. The mounts are gone when it returns, and so is every process.
// A non-zero exit code is no error. An error says that the process could not be started
// (and which interpreter is missing), or that its root could not be mounted. When ctx ends, every process
// gets SIGTERM, then SIGKILL after the grace period; Run returns within two seconds, with the context's error.
// After any error, what is in Upper and Work is of no use: remove it.
func (h *Host) Run(ctx context.Context, n Node) (Exit, error) {
	args, err := h.nodeArgs(n)
	if err != nil {
		return Exit{}, err
	}
	namespaces := uintptr(unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if args.Network == NetworkNone {
		namespaces |= unix.CLONE_NEWNET
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := newConnections(n, cancel)
	if err != nil {
		return Exit{}, err
	}
	limits := newBounds(n.Memory, n.Pids)
	files, group := limits.files()
	files, args.Group = append([]*os.File{out.output.write}, files...), group
	var ids *host.Host
	moved, err := h.asNobody(ctx, &n, args)
	if err == nil {
		defer moved.close()
		files, ids = append(files, moved.files...), h.nobody.ids
	} else if h.RealRoot() && n.Log != nil {
		n.Log.Debug("a node has root's own ids", "reason", err)
	}
	files, args.Streams = out.behind(files, n)
	p, err := h.Start(ctx, stage.Command{
		Stage: stageNode, Args: args, Files: files, Log: n.Log, Namespaces: namespaces, NoEnv: true, IDs: ids,
		Room: len(n.Lowers) + len(files) + usualFiles,
	})
	if err != nil {
		return Exit{}, errors.Join(err, out.finish(false), limits.end())
	}
	out.start()
	var exit Exit
	err = limits.explain(moved.shown(p.Wait(&exit)))
	exit.Notes = append(exit.Notes, limits.notes()...)
	err = errors.Join(err, limits.end())
	if outErr := out.finish(true); outErr != nil {
		return exit, fmt.Errorf("output of the process: %w", outErr)
	}
	if err == nil {
		err = context.Cause(ctx) // it ended by itself just when it was told to
	}
	return exit, err
}

// nodeArgs checks everything that can be checked before a process is started.
func (h *Host) nodeArgs(n Node) (*nodeArgs, error) {
	network, err := checkSpec(n.Spec, n.Network)
	if err != nil {
		return nil, err
	}
	if len(n.Lowers) > MaxLayers {
		return nil, fmt.Errorf("stack %d layers: %w: they can be at most %d", len(n.Lowers), errTooManyLayers, MaxLayers)
	}
	if n.Upper == "" || (n.Work == "" && len(n.Lowers) > 0) {
		return nil, errors.New("run a node: Upper and Work are needed")
	}
	if err := checkRunFiles(n.Files); err != nil {
		return nil, err
	}
	if err := checkUser(h.Host, n.Spec.Process); err != nil {
		return nil, err
	}
	if n, err = absolute(n); err != nil {
		return nil, err
	}
	spec := n.Spec
	if n.Emulation.How == HowCompat {
		spec = with32Bit(spec)
	}
	ownBinfmt, err := n.Emulation.ownBinfmt()
	if err != nil {
		return nil, err
	}
	tmpfs, err := n.Tmpfs.withDefaults()
	if err != nil {
		return nil, err
	}
	grace := n.gracePeriod
	if grace <= 0 || grace > maxGrace {
		grace = maxGrace
	}
	return &nodeArgs{
		Sent: sent(spec), Spec: spec, Lowers: n.Lowers, Upper: n.Upper, Work: n.Work, User: n.User, Files: n.Files, Network: network, Grace: grace, Tmpfs: tmpfs, ClearFresh: n.ClearFresh, OwnResolver: n.OwnResolver || network == NetworkNone, ReadBack: n.ReadBack, Steady: n.Steady && !n.Lists, Lists: n.Lists,
		TTYGid: h.HasGID(5), Guard: h.RealRoot(), Ids: h.Inside(), Emulation: n.Emulation, OwnBinfmt: ownBinfmt,
	}, nil
}

// absolute returns the node with its paths on the host as seen from the root, where init looks for them.
func absolute(n Node) (Node, error) {
	var failed error
	abs := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		p, err := filepath.Abs(p)
		failed = errors.Join(failed, err)
		return p
	}
	n.Upper, n.Work, n.Lowers = abs(n.Upper), abs(n.Work), slices.Clone(n.Lowers)
	for i, l := range n.Lowers {
		n.Lowers[i] = abs(l)
	}
	n.Files = maps.Clone(n.Files)
	for name, f := range n.Files {
		f.HostPath = abs(f.HostPath)
		n.Files[name] = f
	}
	spec := *n.Spec
	spec.Mounts = slices.Clone(spec.Mounts)
	for i, m := range spec.Mounts {
		spec.Mounts[i].Source = abs(m.Source)
	}
	n.Spec = &spec
	return n, failed
}

// with32Bit returns the specification with the personality of 32-bit programs, unless it has one.
func with32Bit(s *specs.Spec) *specs.Spec {
	if s.Linux != nil && s.Linux.Personality != nil {
		return s
	}
	c, l := *s, specs.Linux{}
	if s.Linux != nil {
		l = *s.Linux
	}
	l.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	c.Linux = &l
	return &c
}

// checkUser sees that the ids of the process are mapped. With one id it has others in records only: see answers.become.
func checkUser(h *host.Host, p *specs.Process) error {
	u := p.User
	if h.Tier == host.TierSingle && p.Capabilities == nil {
		return nil
	}
	if !h.HasUID(u.UID) {
		return fmt.Errorf("run as user %d: only %d ids are mapped (%s)", u.UID, h.CountUIDs(), h.Reason)
	}
	for _, gid := range append([]uint32{u.GID}, u.AdditionalGids...) {
		if !h.HasGID(gid) {
			return fmt.Errorf("run as group %d: only %d ids are mapped (%s)", gid, h.CountGIDs(), h.Reason)
		}
	}
	if len(u.AdditionalGids) > 0 && !h.Setgroups {
		return fmt.Errorf("run with additional groups: not possible with one id (%s)", h.Reason)
	}
	return nil
}
