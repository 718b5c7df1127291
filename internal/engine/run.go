package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
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
	kept, err := b.o.Store.MakeTemp("files")
	if err != nil {
		return err
	}
	defer b.discard(ctx, kept)
	if node.Files, err = runFiles(ctx, n, kept); err != nil {
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

// runFiles are the files that a script finds below /run/xtoo: itself, its secrets, and what it declares. What it declares
// is copied to the directory kept as it is read.
func runFiles(ctx context.Context, n *projects.Node, kept string) (map[string]chroot.RunFile, error) {
	files := map[string]chroot.RunFile{scriptFile: {Content: n.Body, Mode: 0o755}}
	for name, s := range n.Secrets() {
		files[strings.TrimPrefix(projects.SecretsDir, "/run/")+"/"+name] = chroot.RunFile{Content: []byte(s.Reveal()), Mode: 0o400}
	}
	in, err := n.Inputs(ctx, keepIn(kept))
	if err != nil {
		return nil, err
	}
	filled := map[string]bool{} // directories that are made for what is in them
	for _, e := range in.Files {
		filled[path.Dir(e.Path)] = true
	}
	for _, e := range in.Files {
		f := chroot.RunFile{Mode: e.Mode}
		switch {
		case e.Mode.IsDir() && filled[e.Path]:
			continue
		case e.Mode&os.ModeSymlink != 0:
			f.Content = []byte(e.Target)
		case e.Mode.IsRegular():
			f.HostPath = keptAs(kept, e.Digest)
		}
		files[strings.TrimPrefix(projects.FilesDir, "/run/")+"/"+e.Path] = f
	}
	return files, nil
}

// keepIn keeps what a script reads in a directory, by digest.
func keepIn(dir string) projects.Keeper {
	return func(_ context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
		from, err := open()
		if err != nil {
			return "", 0, err
		}
		defer from.Close()
		to, err := os.CreateTemp(dir, "")
		if err != nil {
			return "", 0, err
		}
		hash := digest.SHA256.Digester()
		size, err := io.Copy(io.MultiWriter(to, hash.Hash()), from)
		if err := errors.Join(err, to.Close()); err != nil {
			return "", 0, err
		}
		return hash.Digest(), size, os.Rename(to.Name(), keptAs(dir, hash.Digest()))
	}
}

func keptAs(dir string, d digest.Digest) string { return filepath.Join(dir, d.Encoded()) }
