package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// change: a node that changes one file, on the full stage3 and on the small one, by our program and by the one before,
// and the script alone.
func (b *bench) change(ctx context.Context) ([]row, error) {
	const what = "a node that changes one file, full stage3"
	const script = "echo %s > /etc/bench-change"
	full, before, err := b.changers(ctx, change{name: "full", what: what, stage3: b.full, below: notes(2, "below"), fresh: only(script), layout: true})
	if err != nil {
		return nil, err
	}
	mini, err := b.changer(ctx, change{name: "mini", what: what + " (mini)", stage3: b.mini, below: notes(2, "below"), fresh: only(script), layout: true})
	if err != nil {
		return nil, err
	}
	alone := func(int) (sample, error) { return command(ctx, b.dir, nil, "sh", "-c", "echo alone > bench-change") }
	m, err := b.inTurn(full, mini, before, alone)
	if err != nil {
		return nil, err
	}
	return changeRows(what, m[0], m[1], m[2], m[3]), nil
}

// changeRows are the rows of change.
func changeRows(what string, full, mini, before, script sample) []row {
	first := bound(wall, what, pair{ours: full}, 0.20)
	first.theirs = "the script's own time, nearly nothing"
	second := compare(wall, "the same", "on the mini stage3", pair{full, mini}, 1.3, "")
	beyond := func(s sample) sample {
		if s != (sample{}) {
			s.wall -= script.wall
		}
		return s
	}
	third := bound(wall, "the same, beyond the script's own time", pair{beyond(full), beyond(before)}, 0.06)
	third.theirs += "; the script: " + script.text(wall)
	return []row{first, second, third}
}

// change is a project of which some scripts change.
type change struct {
	name   string                      // of its directories
	what   string                      // the row it is for
	stage3 string                      // a file
	below  []string                    // scripts that stay
	fresh  func(token string) []string // those that are others for each token
	layout bool                        // an OCI layout is written, too
	before bool                        // by the program before
}

// only makes one script of a format with a %s for what is new each time.
func only(format string) func(string) []string {
	return func(token string) []string { return []string{fmt.Sprintf(format, token)} }
}

// changers returns the changers of our program and of the one before; the latter is nil where there is none.
func (b *bench) changers(ctx context.Context, c change) (ours, before measurer, err error) {
	if ours, err = b.changer(ctx, c); err != nil || b.base == "" {
		return ours, nil, err
	}
	c.before, c.name = true, c.name+"-before"
	before, err = b.changer(ctx, c)
	return ours, before, err
}

// changer builds a project as far as it stays and returns what gives it new scripts and builds again.
func (b *bench) changer(ctx context.Context, c change) (measurer, error) {
	call := call{what: c.what, before: c.before, store: b.storeOf(c.name)}
	if c.layout {
		call.args = []string{"--oci-layout", filepath.Join(b.dir, c.name+"-oci")}
	}
	again := func(scripts ...string) (s sample, err error) {
		if call.work, err = b.workDir("change-"+c.name, c.stage3, slices.Concat(c.below, scripts)...); err != nil {
			return sample{}, err
		}
		return b.start(ctx, call)
	}
	if _, err := again("true"); err != nil {
		return nil, err
	}
	// Unlike any run of the past, whatever the store remembers.
	token := strconv.FormatInt(time.Now().UnixNano(), 36)
	return func(i int) (sample, error) { return again(c.fresh(fmt.Sprintf("%s-%d", token, i))...) }, nil
}

// storeOf is where the store of a name is.
func (b *bench) storeOf(name string) string { return filepath.Join(b.dir, name+"-store") }

// dropChangers empties the stores that changers of these names have used.
func (b *bench) dropChangers(ctx context.Context, names ...string) error {
	for _, n := range names {
		for _, store := range []string{b.storeOf(n), b.storeOf(n + "-before")} {
			if err := b.drop(ctx, store); err != nil {
				return err
			}
		}
	}
	return nil
}
