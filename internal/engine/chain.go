package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// A chain is what an image has become so far: a base, and the layers of the nodes that are done.
// Chains are never changed: a node makes a new one, at the cost of that node alone.
type chain struct {
	key digest.Digest
	// content is the key of a base of the same layers, whatever they were compressed with or came from.
	content growingKey
	arch    qemu.Arch
	epoch   time.Time
	config  v1.ImageConfig
	extra   oci.Extra
	// found is a digest of what the base has that is not in its key: its history and config.
	found digest.Digest
	runs  digest.Digest // of a finished chain: key of the record of all nodes of its project; empty: there is none

	below   *chain     // nil: it is a base
	step    *nodeState // the node that was the last step, if one was
	layers  []Link     // that came with the last step, bottom first
	history []v1.History
}

// newChain is the chain of a base. epoch is SOURCE_DATE_EPOCH as the user set it, or nil.
func newChain(f Foundation, epoch *time.Time) (*chain, error) {
	c := &chain{arch: f.Arch, epoch: sane(f.Created), config: f.Config, extra: f.Extra, layers: f.Layers}
	if epoch != nil {
		c.epoch = sane(*epoch)
	}
	c.history = slices.Clone(f.History)
	if f.Undated {
		for i := range c.history {
			c.history[i].Created = &c.epoch
		}
	}
	parts := []string{c.arch.String(), fmt.Sprint(c.epoch.UnixNano())}
	for _, l := range c.layers {
		parts = append(parts, l.DiffID.String())
	}
	c.content = newGrowingKey("base", parts...)
	c.key = c.content.digest()
	data, err := json.Marshal(struct {
		History []v1.History
		Config  v1.ImageConfig
		Extra   oci.Extra `json:",omitzero"`
	}{c.history, c.config, c.extra})
	c.found = digest.FromBytes(data)
	return c, err
}

// MaxEpoch is the latest SOURCE_DATE_EPOCH, in seconds since 1970: what every kind of output can hold (in 2106). There
// is no bound by the clock: digests would depend on it, and would be others where it is wrong.
const MaxEpoch int64 = 1<<32 - 1

// sane is a time as SOURCE_DATE_EPOCH can have it: whole seconds since 1970.
func sane(t time.Time) time.Time {
	return time.Unix(min(max(t.Unix(), 0), MaxEpoch), 0).UTC()
}

// inexactLabel marks an image with the last node whose layer may not be what root would make.
const inexactLabel = "xtoo.inexact"

// after is the chain after a node.
func (c *chain) after(st *nodeState, rec nodeRecord) (*chain, error) {
	n := *c
	n.key, n.below, n.layers, n.step = st.key, c, nil, st
	n.history = []v1.History{oci.NodeHistory(st.node.Path, rec.Script, c.epoch, rec.DiffID == "")}
	if len(rec.Inexact) > 0 {
		n.config.Labels = maps.Clone(n.config.Labels)
		if n.config.Labels == nil {
			n.config.Labels = map[string]string{}
		}
		n.config.Labels[inexactLabel] = st.node.Path
	}
	if rec.DiffID == "" {
		return &n, nil
	}
	n.layers = []Link{{DiffID: rec.DiffID, Dir: rec.DiffID}}
	var err error
	n.content, err = c.content.with(rec.DiffID.String())
	return &n, err
}

// records names the records that a project's nodes are known by: they are good as long as its image is.
func (c *chain) records(p *projects.PlannedProject) []string {
	var all []string
	for s := c; s != nil; s = s.below {
		if s.step != nil && s.step.project == p {
			all = append(all, store.RecordName(kindNode, s.step.content()), store.RecordName(kindLast, lastKey(s.step.node)))
		}
	}
	if c.runs != "" {
		all = append(all, store.RecordName(kindRuns, c.runs))
	}
	return all
}

// finished is the chain with a project's image settings put onto those of its parent.
func (c *chain) finished(p *projects.PlannedProject, runs digest.Digest) (*chain, error) {
	s := p.Image
	cfg, err := oci.Merge(c.config, oci.Settings{
		Entrypoint: s.Entrypoint, Cmd: s.Cmd, User: s.User, WorkingDir: s.WorkDir, StopSignal: s.StopSignal,
		Env: s.Env, Labels: s.Labels, Ports: s.Ports, Volumes: s.Volumes,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: image: %w", p.Project.Pos, err)
	}
	n := *c
	n.config, n.below, n.layers, n.history, n.step, n.runs = cfg, c, nil, nil, nil, runs
	return &n, nil
}

// links lists all layers, bottom first.
func (c *chain) links() []Link {
	n := 0
	for s := c; s != nil; s = s.below {
		n += len(s.layers)
	}
	all := make([]Link, n)
	for s := c; s != nil; s = s.below {
		n -= len(s.layers)
		copy(all[n:], s.layers)
	}
	return all
}

// histories lists the whole history, oldest first.
func (c *chain) histories() []v1.History {
	var all []v1.History
	for s := c; s != nil; s = s.below {
		for _, h := range slices.Backward(s.history) {
			all = append(all, h)
		}
	}
	slices.Reverse(all)
	return all
}
