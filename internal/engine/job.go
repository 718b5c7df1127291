package engine

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
	"xtoo/projects"
	"xtoo/qemu"
)

// A Job is one node, or one check, to be executed: data, that means the same in another process or on another machine with the same store. It
// goes through JSON and back unchanged. What it needs is named by digest, and is in the store; secrets by a reference that
// only the machine that executes resolves. Of the host it names nothing but where its volumes come from.
type Job struct {
	// Key of the node.
	Key digest.Digest `json:"key"`
	// Arch of the programs in the layers.
	Arch qemu.Arch `json:"arch"`
	// Layers of the root, bottom first.
	Layers []Link `json:"layers"`
	// Interpreter of the script: a program and at most one argument.
	Interpreter []string `json:"interpreter"`
	// Script and Files are what the script finds below /run: itself, and what its node declares, parents first.
	Script File   `json:"script"`
	Files  []File `json:"files,omitempty"`
	// Secrets are files below /run, too.
	Secrets []Secret `json:"secrets,omitempty"`
	// Env is the whole environment, "NAME=value".
	Env     []string `json:"env"`
	Volumes []Volume `json:"volumes,omitempty"`
	// User and Dir are those of a container, as images say them: names mean what they do in the root. Empty: user 0, without other
	// groups, and the root directory.
	User string `json:"user,omitempty"`
	Dir  string `json:"dir,omitempty"`
	// Discard throws away what the script changes: there is no layer.
	Discard bool `json:"discard,omitempty"`
	// Network is "host" or "none".
	Network projects.Network `json:"network"`
	// Resolver is "host" or "image".
	Resolver projects.Resolver `json:"resolver"`
	// ClearFresh removes what the root has in /run and /tmp, which the script sees empty.
	ClearFresh bool `json:"clear_fresh,omitempty"`
	// Limits of the machine's resources.
	Limits Limits `json:"limits"`
	// Epoch is SOURCE_DATE_EPOCH: no time in the layer is later.
	Epoch time.Time `json:"epoch"`
	// Compression of the layer's blob, on up to Jobs cores.
	Compression layers.Compression `json:"compression"`
	Jobs        int                `json:"jobs"`
}

// Limits bound a job. Zero means no bound, and the default for file systems in memory.
type Limits struct {
	Timeout time.Duration  `json:"timeout,omitempty"` // of the script
	Memory  int64          `json:"memory,omitempty"`  // bytes
	Pids    int64          `json:"pids,omitempty"`    // processes and threads
	Tmpfs   projects.Tmpfs `json:"tmpfs"`
}

// A File is a file, directory or symbolic link below /run.
type File struct {
	Path string      `json:"path"` // below /run
	Mode fs.FileMode `json:"mode"` // with its type
	// Digest and Size of a file's content, which the store has as an input.
	Digest digest.Digest `json:"digest,omitempty"`
	Size   int64         `json:"size,omitempty"`
	// Target of a symbolic link.
	Target string `json:"target,omitempty"`
}

// A Secret is a file below /run with a secret in it.
type Secret struct {
	Path string `json:"path"` // below /run
	Ref  string `json:"ref"`  // what [Site] knows it by
}

// A Volume is a directory of the host that a script sees.
type Volume struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// scriptFile is where a script finds itself, below /run.
const scriptFile = "xtoo/script"

// DefaultPath is the PATH of images and scripts, as stage3s have it in etc/profile.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"

// job makes the job of a node whose inputs are kept.
func (b *build) job(st *nodeState) Job {
	n, j := st.node, b.jobOn(st.node, st.below)
	j.Key, j.Interpreter, j.Script, j.Files = st.key, n.Interpreter, st.inputs.script, st.inputs.files
	j.ClearFresh = n.ClearFresh
	for _, name := range slices.Sorted(maps.Keys(n.Secrets())) {
		j.Secrets = append(j.Secrets, Secret{Path: belowRun(projects.SecretsDir) + "/" + name, Ref: name})
	}
	return j
}

// jobOn is a job that is executed as a node is, on a chain, without what the node executes and is given for that.
func (b *build) jobOn(n *projects.Node, c *chain) Job {
	j := Job{
		Arch: c.arch, Layers: c.links(), Env: environment(n, c), Network: n.Network, Epoch: c.epoch,
		Resolver: n.Resolver, Limits: Limits(n.Limits), Compression: b.o.Compression, Jobs: b.o.Jobs,
	}
	for _, v := range n.Volumes {
		j.Volumes = append(j.Volumes, Volume{Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly})
	}
	return j
}

// belowRun is a path as seen from /run.
func belowRun(path string) string { return strings.TrimPrefix(path, "/run/") }

// secretsOf resolves the references of a node's job on this machine.
func secretsOf(n *projects.Node) func(string) ([]byte, error) {
	known := n.Secrets()
	return func(ref string) ([]byte, error) {
		s, ok := known[ref]
		if !ok {
			return nil, fmt.Errorf("no secret %q is known here", ref)
		}
		return []byte(s.Reveal()), nil
	}
}

// environment is what a script sees: nothing of the host's. Every part of it enters the node's key, or depends on
// what does.
func environment(n *projects.Node, c *chain) []string {
	env := n.Environ()
	for _, d := range [][2]string{
		{"HOME", "/root"}, {"LANG", "C.UTF-8"}, {"LOGNAME", "root"}, {"PATH", DefaultPath}, {"SHELL", "/bin/sh"},
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
