package chroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// sources are what of the host a node needs, opened or read before the host goes out of reach.
type sources struct {
	sys      *os.File
	devices  map[string]*os.File
	volumes  []*volume
	files    []*os.File // of the volumes; nil for a tmpfs
	emulator *os.File   // to be lent to the root; nil: none
	resolver map[string]RunFile
}

// runNode is the stage of Run: process 1 of its namespace. It furnishes the root, starts the process, is its init,
// and tidies up.
func runNode(ctx context.Context, s *stage.Stage) error {
	var a nodeArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	a.Spec = a.Sent.spec()
	if err := coverTracks(); err != nil {
		s.Log.Debug("the arguments of init stay visible", "error", err)
	}
	unix.Umask(0)
	if err := a.Trees.attach(func(i int) *os.File { return s.File(1 + a.Group.Files + i) }); err != nil {
		return err
	}
	if err := setNames(a.Spec); err != nil {
		return err
	}
	if a.Network == NetworkNone {
		if err := errors.Join(upLoopback(), openPorts()); err != nil {
			return err
		}
	}
	if a.OwnBinfmt {
		b, err := a.Emulation.begin()
		if err != nil {
			return err
		}
		defer func() { _ = b.Close() }() // it goes with the namespace
	}
	g, err := furnish(&a)
	if err != nil {
		return err
	}
	return errors.Join(a.execute(ctx, s, g), g.clear())
}

// execute starts the process and is its init until everything has ended.
func (a *nodeArgs) execute(ctx context.Context, s *stage.Stage, g *guest) error {
	unignoreSignals()
	if err := dropForged(); err != nil {
		return err
	}
	if a.User != "" {
		if err := a.asImage(); err != nil {
			return err
		}
	}
	std, err := a.Streams.open(s.File)
	if err != nil {
		return err
	}
	running, giveUp := context.WithCancel(ctx)
	defer giveUp()
	answers, err := newAnswers(a, g, giveUp, s.Log)
	if err != nil {
		return err
	}
	payload, err := a.Group.around(s.File, func() (int, error) { return launch(a, std, answers) })
	if err = errors.Join(err, std.handOver(err == nil)); err != nil {
		return errors.Join(err, answers.end(nil))
	}
	exit := supervise(running, payload, func() time.Duration { return answers.grace(a.Grace) })
	if exit.Notes, err = g.lost(); err != nil {
		return err
	}
	if err := answers.end(&exit); err != nil {
		return err
	}
	return errors.Join(s.Result(exit), ctx.Err())
}

// setNames gives the namespace its names, which are never the host's.
func setNames(s *specs.Spec) error {
	if err := unix.Sethostname([]byte(hostname(s))); err != nil {
		return host.ExplainStart(fmt.Errorf("set the hostname to %q: %w", hostname(s), err), 0)
	}
	domain := s.Domainname
	if domain == "" {
		domain = "(none)" // the kernel's own word
	}
	if err := unix.Setdomainname([]byte(domain)); err != nil {
		return host.ExplainStart(fmt.Errorf("set the domain name to %q: %w", domain, err), 0)
	}
	return nil
}

func hostname(s *specs.Spec) string {
	if s.Hostname == "" {
		return "localhost"
	}
	return s.Hostname
}

// furnish mounts the root and everything in it and makes it the root of this process.
func furnish(a *nodeArgs) (*guest, error) {
	fds, err := openPath("/proc/self/fd", unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	src, err := openSources(a)
	if err != nil {
		return nil, err
	}
	if err := mountRoot(fds, a); err != nil {
		return nil, err
	}
	g, err := newGuest(fds, a.Upper)
	if err != nil {
		return nil, err
	}
	if err := g.fill(a, src); err != nil {
		if g.enter() == nil { // what was made in volumes is on the host
			err = errors.Join(err, g.clear())
		}
		return nil, err
	}
	if err := g.settleIn(); err != nil {
		return nil, err
	}
	return g, src.close()
}

// fill mounts everything in the root.
func (g *guest) fill(a *nodeArgs, src *sources) error {
	if err := g.mountSystem(a, src); err != nil {
		return err
	}
	for _, files := range []map[string]RunFile{src.resolver, a.Files} {
		if err := g.writeRunFiles(files); err != nil {
			return err
		}
	}
	if err := g.mountResolver(a); err != nil {
		return err
	}
	if src.emulator != nil {
		if err := g.lend(src.emulator, a.Emulation.Interpreter); err != nil {
			return err
		}
	}
	for i, v := range src.volumes {
		if err := g.mountVolume(v, src.files[i]); err != nil {
			return err
		}
	}
	if l := a.Spec.Linux; l != nil {
		if err := g.mask(src.devices["null"], l.MaskedPaths); err != nil {
			return err
		}
		if err := g.makeReadonly(l.ReadonlyPaths...); err != nil {
			return err
		}
	}
	return nil
}

// openSources opens and reads what is needed of the host.
func openSources(a *nodeArgs) (*sources, error) {
	s := &sources{devices: map[string]*os.File{}}
	var err error
	if s.sys, err = openPath("/sys", unix.O_DIRECTORY); err != nil {
		return nil, err
	}
	for _, name := range deviceNames() {
		if s.devices[name], err = openPath("/dev/"+name, 0); err != nil {
			return nil, err
		}
	}
	if s.volumes, s.files, err = openVolumes(a.Spec.Mounts); err != nil {
		return nil, err
	}
	if a.Emulation.How == HowPlaced {
		if s.emulator, err = openPath(a.Emulation.Emulator, 0); err != nil {
			return nil, err
		}
	}
	if !a.OwnResolver {
		s.resolver, err = resolverFiles(hostname(a.Spec))
	}
	return s, err
}

// close lets go of the host: a script may look through /proc/1/fd.
func (s *sources) close() error {
	err := s.sys.Close()
	for _, f := range s.devices {
		err = errors.Join(err, f.Close())
	}
	for _, f := range append(s.files, s.emulator) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
