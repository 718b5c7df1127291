package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot"
	"xtoo/projects"
)

// scriptFile is where a script finds itself, below /run.
const scriptFile = "xtoo/script"

// runScript executes a node's script on st and keeps what it prints.
func (b *build) runScript(ctx context.Context, p *projects.PlannedProject, n *projects.Node, c *chain, key digest.Digest, st *nodeState) (err error) {
	host, err := b.o.Host()
	if err != nil {
		return err
	}
	node := chroot.Node{
		Spec: b.spec(n, c, st.emulation), Emulation: st.emulation, Lowers: st.lowers, Upper: st.upper, Work: st.work, Log: b.o.Log,
		Network: chroot.NetworkHost,
	}
	if n.Network == projects.NetworkNone || b.o.Offline {
		node.Network = chroot.NetworkNone
	}
	if node.Files, err = runFiles(n); err != nil {
		return fmt.Errorf("%s: node %s of project %s: %w", n.Pos, n.Path, p.Label(), err)
	}
	logPath := b.o.Store.LogPath(key, p.Project.Tag+"-"+n.Path)
	log, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("keep what node %s prints: %w", n.Path, err)
	}
	lines := &lineWriter{secrets: n.Secrets(), emit: func(line string) error {
		b.o.Events(Event{Kind: EventOutput, Project: p.Project.Tag, Platform: p.Platform(), Node: n.Path, Text: line})
		_, err := log.WriteString(line + "\n")
		return err
	}}
	node.Output = lines
	begun := time.Now()
	if err := b.prepare(ctx, host, st); err != nil {
		return errors.Join(err, log.Close())
	}
	exit, err := host.Run(ctx, node)
	if err := errors.Join(err, lines.flush(), log.Close()); err != nil {
		return fmt.Errorf("%s: node %s of project %s: %w", n.Pos, n.Path, p.Label(), err)
	}
	if exit.Code == 0 {
		return nil
	}
	what := fmt.Sprintf("exited with code %d", exit.Code)
	if exit.Signal != 0 {
		what = fmt.Sprintf("was killed by signal %d (%s)", int(exit.Signal), exit.Signal)
	}
	return &ScriptError{
		Project: p.Project.Tag, Platform: p.Platform(), Node: n.Path, Pos: n.Pos, What: what, Log: logPath, Elapsed: time.Since(begun),
	}
}

// prepare gives the upper directory the root's own mode, owner and times, before anything is mounted on it.
func (b *build) prepare(ctx context.Context, host *chroot.Host, st *nodeState) error {
	p, err := host.Start(ctx, chroot.Command{
		Stage: stagePrepare, Args: prepareArgs{Upper: st.upper, Lowers: st.lowers}, Log: b.o.Log,
	})
	if err != nil {
		return err
	}
	return p.Wait(nil)
}

// spec describes a node's process in the words of runtime-spec.
func (b *build) spec(n *projects.Node, c *chain, e chroot.Emulation) *specs.Spec {
	s := &specs.Spec{
		Version:  specs.Version,
		Hostname: "xtoo",
		Process: &specs.Process{
			Args: append(append([]string{}, n.Interpreter...), "/run/"+scriptFile),
			Env:  emulatedEnvironment(environment(n, c), e),
			Cwd:  "/",
		},
	}
	for _, v := range n.Volumes {
		mode := "rw"
		if v.ReadOnly {
			mode = "ro"
		}
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: v.Target, Source: v.Source, Type: "bind", Options: []string{"rbind", mode},
		})
	}
	return s
}

// environment is what a script sees: nothing of the host's. Every part of it enters the node's key, or depends on
// what does.
func environment(n *projects.Node, c *chain) []string {
	env := n.Environ()
	for _, d := range [][2]string{
		{"HOME", "/root"}, {"LANG", "C.UTF-8"}, {"LOGNAME", "root"}, {"PATH", defaultPath}, {"SHELL", "/bin/sh"},
		{"SOURCE_DATE_EPOCH", fmt.Sprint(c.epoch.Unix())}, {"TERM", "dumb"}, {"USER", "root"},
	} {
		if !hasName(env, d[0]) {
			env = append(env, d[0]+"="+d[1])
		}
	}
	return env
}

func hasName(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// runFiles are the files that a script finds below /run/xtoo: itself, its secrets, and what it declares.
func runFiles(n *projects.Node) (map[string]chroot.RunFile, error) {
	files := map[string]chroot.RunFile{scriptFile: {Content: n.Body, Mode: 0o755}}
	for name, s := range n.Secrets() {
		files[strings.TrimPrefix(projects.SecretsDir, "/run/")+"/"+name] = chroot.RunFile{Content: []byte(s.Reveal()), Mode: 0o400}
	}
	for _, set := range n.Files {
		entries, err := set.Entries()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			f := chroot.RunFile{HostPath: e.Host, Mode: e.Mode}
			if e.Mode&os.ModeSymlink != 0 {
				f = chroot.RunFile{Content: []byte(e.Target), Mode: e.Mode}
			}
			files[strings.TrimPrefix(projects.FilesDir, "/run/")+"/"+e.Path] = f
		}
	}
	return files, nil
}
