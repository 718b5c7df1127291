package engine

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
	"xtoo/projects"
)

// A check is a script that is executed on the finished image of a project: its layers, its user, its environment. What it changes is thrown
// away. That it has succeeded is recorded under a key over the layers, the image's settings and what the check declares.

// The reasons for an execution of a check that are not about an input of its own.
const (
	whyNeverChecked = "never checked"
	whyImage        = "image changed"
)

// lastCheckKey names a check of a directory on an architecture.
func lastCheckKey(n *projects.Node) digest.Digest {
	return Key("last check", n.Project.Project.Dir, n.Path, n.Project.Arch.String())
}

// evaluateCheck says what the state of a check is. c is the finished chain of its project; nil if that is not known.
func (b *build) evaluateCheck(ctx context.Context, p *projects.PlannedProject, check *projects.Check, c *chain) (*nodeState, error) {
	st := &nodeState{project: p, node: check.Node, check: check, below: c}
	if c != nil {
		config, err := json.Marshal(c.config)
		if err != nil {
			return nil, err
		}
		st.image = Key("image to check", c.content.digest().String(), string(config))
	}
	return st, b.readCheck(ctx, st, false)
}

// readCheck reads what a check is made from, and keeps script and files if keep says so. It asks the cache.
func (b *build) readCheck(ctx context.Context, st *nodeState, keep bool) error {
	in, err := b.readInputs(ctx, st.node, keep)
	if err != nil {
		return err
	}
	if user := st.check.User; user != nil {
		in.list = append(in.list, input{Name: "user", Digest: digest.FromString(*user)})
		slices.SortFunc(in.list, func(a, b input) int { return strings.Compare(a.Name, b.Name) })
	}
	if st.inputs = in; st.below == nil {
		return nil
	}
	parts := []string{st.image.String()}
	for _, i := range in.list {
		parts = append(parts, i.Name, i.Digest.String())
	}
	st.key = Key("check", parts...)
	b.askCheck(st)
	return nil
}

func (b *build) askCheck(st *nodeState) {
	var rec checkRecord
	if b.o.NoCache || !b.o.Store.Get(kindCheck, st.key, &rec) {
		return
	}
	if rec.IDs < b.ids() {
		st.refused = whyFewer
		return
	}
	st.cached = true
}

// user is who a check is executed as.
func (st *nodeState) user() string {
	user := st.below.config.User
	if st.check.User != nil {
		user = *st.check.User
	}
	if user == "" {
		return "0" // who that is stands in the image
	}
	return user
}

// buildCheck executes a check if the cache does not know that it succeeds.
func (b *build) buildCheck(ctx context.Context, st *nodeState) error {
	if st.cached {
		b.tellChecked(st, StateCached, 0)
		return nil
	}
	if err := b.readCheck(ctx, st, true); err != nil {
		return err
	}
	unlock, err := b.o.Store.Lock(ctx, "check "+st.key.String(), b.waiting(st.about(EventWaiting)))
	if err != nil {
		return err
	}
	return errors.Join(b.checkLocked(ctx, st), unlock())
}

func (b *build) checkLocked(ctx context.Context, st *nodeState) error {
	if b.askCheck(st); st.cached { // another build did it while this one waited
		b.tellChecked(st, StateCached, 0)
		return nil
	}
	release, err := b.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := b.beginWriting(); err != nil {
		return err
	}
	if err := b.o.Runner.Ready(ctx, st.below.arch); err != nil {
		return st.failed(err)
	}
	begun := time.Now()
	ev := st.about(EventStart)
	ev.Why = b.why(st)
	b.o.Events(ev)
	out, log, err := b.perform(ctx, st, b.checkJob(st), "")
	if err != nil {
		return err
	}
	if err := b.rememberCheck(st, out, log); err != nil {
		return err
	}
	b.tellChecked(st, statePassed, time.Since(begun))
	return nil
}

// checkJob makes the job of a check whose inputs are kept.
func (b *build) checkJob(st *nodeState) Job {
	j := b.job(st)
	j.Env = imageEnvironment(st.node, st.below)
	j.User, j.Dir, j.Discard = st.user(), st.below.config.WorkingDir, true
	return j
}

// imageEnvironment is what a check sees: the image's environment, and what the plan gives to it. HOME is for the runner to find.
func imageEnvironment(n *projects.Node, c *chain) []string {
	own := n.Environ()
	var env []string
	for _, e := range c.config.Env {
		if name, _, _ := strings.Cut(e, "="); !hasName(own, name) {
			env = append(env, e)
		}
	}
	env = append(env, own...)
	if !hasName(env, "PATH") {
		env = append(env, "PATH="+DefaultPath)
	}
	return env
}

// rememberCheck records a check that has succeeded, and what it was made from.
func (b *build) rememberCheck(st *nodeState, out Outcome, log string) error {
	logs := []string{filepath.Base(log)}
	if err := b.o.Store.Put(kindCheck, st.key, store.Refs{Logs: logs, Held: true}, checkRecord{IDs: out.IDs}); err != nil {
		return err
	}
	// The check is known as long as this one is, and this one as long as the layers.
	refs := store.Refs{Records: []string{store.RecordName(kindCheck, st.key)}}
	for _, l := range st.below.links() {
		refs.Layers = append(refs.Layers, l.DiffID)
	}
	return b.o.Store.Put(kindLast, lastCheckKey(st.node), refs, lastRecord{Below: st.image, Inputs: st.inputs.list})
}

// tellChecked counts a check that is good, and tells of it.
func (b *build) tellChecked(st *nodeState, state string, took time.Duration) {
	b.mu.Lock()
	if state == StateCached {
		b.result.ChecksCached++
	} else {
		b.result.Checked++
	}
	b.mu.Unlock()
	ev := st.about(EventCheck)
	ev.State, ev.Elapsed = state, took
	b.o.Events(ev)
}
