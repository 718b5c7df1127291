package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// event is what matters of an event of `xtoo build --json`.
type event struct {
	Kind    string `json:"event"`
	Project string `json:"project"`
	Node    string `json:"node"`
	State   string `json:"state"`
	Text    string `json:"text"`
	Digest  string `json:"digest"`
}

// result is how a build ended.
type result struct {
	images  map[string]bool              // tags
	changed map[string]bool              // tags whose second step made a layer
	output  map[string]map[string]string // what nodes printed: by tag, then node
	said    string                       // on standard error
	failed  bool
}

// testRoot executes all tests of one root.
func testRoot(ctx context.Context, o options, root string, tests []*test, report func(*test, string)) error {
	work := filepath.Join(o.work, "work")
	if err := writeRoot(work, root, o.roots[root]); err != nil {
		return err
	}
	var together []*test
	for _, t := range tests {
		if t.fails != "" {
			if err := testFailure(ctx, o, t, report); err != nil {
				return err
			}
			continue
		}
		if err := t.write(work); err != nil {
			return err
		}
		together = append(together, t)
	}
	// A build ends with the first failure: the others are built again without it, and most of what they want is there.
	for len(together) > 0 {
		tags := make([]string, len(together))
		for i, t := range together {
			tags[i] = t.tag()
		}
		r, err := build(ctx, o, work, tags)
		if err != nil {
			return err
		}
		if !r.failed {
			for _, t := range together {
				report(t, r.judge(t))
			}
			return nil
		}
		before := len(together)
		together = slices.DeleteFunc(together, func(t *test) bool {
			if !r.blames(t) {
				return false
			}
			report(t, r.errors()+r.printed(t))
			return true
		})
		if len(together) == before {
			return fmt.Errorf("the build of root %s failed, and it is no test's fault:\n%s", root, r.said)
		}
		for _, t := range tests { // what is wrong with a configuration stops the others, too
			if !slices.Contains(together, t) && !o.keep {
				if err := os.RemoveAll(filepath.Join(work, filepath.FromSlash(t.tag()))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// testFailure executes a test that must fail, in a work directory of its own.
func testFailure(ctx context.Context, o options, t *test, report func(*test, string)) error {
	work := filepath.Join(o.work, "fails", t.root+"-"+t.step+"-"+t.name)
	if err := errors.Join(writeRoot(work, t.root, o.roots[t.root]), t.write(work)); err != nil {
		return err
	}
	r, err := build(ctx, o, work, []string{t.tag()})
	if err != nil {
		return err
	}
	said := r.said + r.printed(t)
	switch {
	case !r.failed:
		report(t, "it was built, and should have failed: "+t.fails)
	case !strings.Contains(said, t.fails):
		report(t, "it failed, but did not say "+t.fails+"\n"+said)
	default:
		report(t, "")
	}
	return nil
}

// judge says what is wrong with a test whose project was built.
func (r *result) judge(t *test) string {
	switch {
	case !r.images[t.tag()]:
		return "there is no image of it"
	case r.changed[t.tag()]:
		return "the second time, the step changed something again: its layer should be empty" + r.printed(t)
	}
	return ""
}

// errors are the lines of standard error that say what failed.
func (r *result) errors() string {
	var b strings.Builder
	wanted := false
	for line := range strings.Lines(r.said) {
		if strings.HasPrefix(line, "xtoo: ") {
			wanted = !strings.HasPrefix(line, "xtoo: warning:")
		}
		if wanted {
			b.WriteString(line)
		}
	}
	return b.String()
}

// blames reports whether what failed names the test's project or configuration.
func (r *result) blames(t *test) bool {
	for _, end := range []string{":", "/" + configName, "["} {
		if strings.Contains(r.errors(), t.tag()+end) {
			return true
		}
	}
	return false
}

// printed is the end of what the test's last nodes printed.
func (r *result) printed(t *test) string {
	var b strings.Builder
	for _, n := range []string{nodeBefore, nodeStep, nodeAgain, nodeAfter} {
		lines := strings.Split(r.output[t.tag()][n], "\n")
		const last = 25
		lines = lines[max(0, len(lines)-last):]
		if text := strings.TrimSpace(strings.Join(lines, "\n")); text != "" {
			fmt.Fprintf(&b, "\nprinted by %s:\n%s", n, text)
		}
	}
	return b.String()
}

// build builds projects of a work directory. The error is that the program could not be used.
func build(ctx context.Context, o options, work string, tags []string) (*result, error) {
	cmd := exec.CommandContext(ctx, o.xtoo, append([]string{"build", "--json", "-C", work}, tags...)...)
	cmd.Env = os.Environ()
	if os.Getenv("XTOO_STORE") == "" {
		cmd.Env = append(cmd.Env, "XTOO_STORE="+filepath.Join(o.work, "store"))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := &result{images: map[string]bool{}, changed: map[string]bool{}, output: map[string]map[string]string{}, said: stderr.String(), failed: err != nil}
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(&stdout)
	for dec.More() {
		var e event
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("read the events of xtoo build: %w", err)
		}
		r.note(e)
	}
	return r, nil
}

func (r *result) note(e event) {
	switch e.Kind {
	case "image":
		r.images[e.Project] = true
	case "node":
		r.changed[e.Project] = r.changed[e.Project] || e.Node == nodeAgain && e.Digest != ""
	case "output":
		if r.output[e.Project] == nil {
			r.output[e.Project] = map[string]string{}
		}
		r.output[e.Project][e.Node] += e.Text + "\n"
	}
}

// removeWork removes the work directory. A store in it is xtoo's to remove: parts of it may belong to other ids.
func removeWork(ctx context.Context, o options) error {
	store := filepath.Join(o.work, "store")
	if _, err := os.Stat(store); err == nil {
		cmd := exec.CommandContext(ctx, o.xtoo, "clean", "--all", "--store", store)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("remove the store of the tests: %w: %s", err, out)
		}
	}
	return os.RemoveAll(o.work)
}
