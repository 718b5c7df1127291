package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/engine"
)

// checked: a project with two checks, and one on it with another.
var checked = map[string]string{
	"top": stage3 + `
values: {word: hi}
scripts: [{name: one, run: "echo 1 > /one"}]
image: {env: {LANG: C, WORD: image}, workdir: /srv}
checks:
  - {name: first, run: "cat /one\necho changed > /one\ncat /one"}
  - {name: second, run: "cat /one\nenv XTOO_WORD\nenv LANG\nenv WORD\npwd\nid", env: {WORD: check}}
`,
	"top/low": `
scripts: [{name: two, run: "echo 2 > /two"}]
checks: [{name: low, run: "cat /two\nid", user: "80:90"}]
`,
}

// checks are the states of checks, by project and name.
func checks(b *bench) (started, done []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		switch {
		case e.Check == "":
		case e.Kind == engine.EventStart:
			started = append(started, e.Project+":"+e.Check+" "+e.Why)
		case e.Kind == engine.EventCheck:
			done = append(done, e.Project+":"+e.Check+" "+e.State)
		case e.Kind == engine.EventOutput:
			done = append(done, e.Text)
		}
	}
	b.events = nil
	return started, done
}

// TestChecks: checks are executed in order on what the project is in the end, change nothing, and are known the next time.
func TestChecks(t *testing.T) {
	b := newBench(t, checked)
	res := b.counts(2, 0)
	started, done := checks(b)
	if want := []string{"top:first never checked", "top:second never checked", "top/low:low never checked"}; !reflect.DeepEqual(started, want) {
		t.Errorf("started %q", started)
	}
	want := []string{"1", "changed", "top:first passed", "1", "hi", "C", "check", "/srv", "0", "top:second passed", "2", "80", "top/low:low passed"}
	if !reflect.DeepEqual(done, want) {
		t.Errorf("done %q, want %q", done, want)
	}
	if res.Checked != 3 || res.ChecksCached != 0 || len(res.Images) != 2 || res.Images[1].Layers != 3 {
		t.Errorf("%+v", res)
	}
	for _, j := range b.runner.Jobs() {
		if j.Discard && (j.Network != "none" || j.Dir != "/srv" || slices.Contains(j.Env, "HOME=/root")) {
			t.Errorf("the job of a check: %+v", j)
		}
	}
	if want := map[string]string{"top": "", "top:one": "", "top?first": "", "top?second": "", "top/low": "", "top/low:two": "", "top/low?low": ""}; !reflect.DeepEqual(b.status(), want) {
		t.Errorf("status %q", b.status())
	}
	before := b.files()
	b.reopen()
	if res = b.counts(0, 2); res.Checked != 0 || res.ChecksCached != 3 || len(b.runner.Jobs()) > 0 {
		t.Errorf("with nothing to do: %+v", res)
	}
	if _, done = checks(b); len(done) != 3 || done[2] != "top/low:low cached" {
		t.Errorf("with nothing to do: %q", done)
	}
	if after := b.files(); !reflect.DeepEqual(after, before) {
		t.Errorf("nothing to do leaves other files: %v, before %v", after, before)
	}
}

// TestChecksAreExecutedAgain: when what they are executed on, or what they declare, has changed, and not else.
func TestChecksAreExecutedAgain(t *testing.T) {
	b := newBench(t, checked)
	b.counts(2, 0)
	for _, c := range []struct {
		old, now string
		why      map[string]string
	}{
		{"LANG: C,", "LANG: C.UTF-8,", map[string]string{"top?first": "image changed", "top?second": "image changed", "top/low?low": "image changed", "top": "check first: image changed"}},
		{"cat /one\\necho changed", "cat /one\\n#\\necho changed", map[string]string{"top?first": "script changed", "top": "check first: script changed"}},
		{"env: {WORD: check}", "env: {WORD: check}, user: nobody", map[string]string{"top?second": "user added"}},
		{"echo 1 >", "echo 3 >", map[string]string{"top?first": "image changed", "top?second": "image changed", "top/low?low": "image changed"}},
		{"word: hi", "word: ho", map[string]string{"top?first": "value word changed", "top/low?low": "value word changed"}},
	} {
		b.reopen()
		b.write("top/.xtoo-config.yaml", strings.Replace(checked["top"], c.old, c.now, 1))
		got := b.status()
		for name, why := range c.why {
			if !strings.Contains(got[name], why) {
				t.Errorf("%s: %s is to be executed because of %q, want %q", c.now, name, got[name], why)
			}
		}
		if c.why["top/low?low"] == "" && got["top/low?low"] != "" {
			t.Errorf("%s: %q", c.now, got)
		}
	}
	b.write("top/.xtoo-config.yaml", checked["top"])
	if got := b.status(); got["top"] != "" {
		t.Errorf("as before: %q", got)
	}
	b.o.NoCache = true
	if got := b.status(); got["top?first"] != "the cache is not to be used" {
		t.Errorf("without the cache: %q", got)
	}
	b = newBench(t, map[string]string{"top": stage3 + "checks: [{name: alone, run: cat base}]\n"})
	b.runner.HasIDs = 1
	b.counts(0, 0)
	b.reopen()
	b.runner.HasIDs = 1000
	if got := b.status(); !strings.Contains(got["top?alone"], "fewer user and group ids") {
		t.Errorf("with more ids: %q", got)
	}
}

// TestCheckFails: the error says which, where and why; nothing gets a tag or is written, and nothing is remembered of it.
func TestCheckFails(t *testing.T) {
	b := newBench(t, checked)
	b.counts(2, 0)
	checks(b)
	index := filepath.Join(b.dir, "oci/index.json")
	tags, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	b.reopen()
	lines := "echo line\\n" + strings.Repeat("echo x\\n", 20) + "echo the end\\nexit 3"
	b.write("top/.xtoo-config.yaml", strings.Replace(checked["top"], `"cat /one\necho changed > /one\ncat /one"`, `"`+lines+`"`, 1))
	b.write("top/low/.xtoo-config.yaml", strings.Replace(checked["top/low"], "echo 2", "echo 22", 1))
	_, err = engine.Build(t.Context(), b.plan(), b.o)
	var script *engine.ScriptError
	if !errors.As(err, &script) {
		t.Fatalf("built: %v", err)
	}
	text := err.Error()
	for _, want := range []string{".xtoo-config.yaml:7:5: check first of project top: its script exited with code 3; the end of what it printed:\n  x\n", "\n  the end"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if strings.Contains(text, "line\n") || !strings.Contains(script.Hint(), "-top-check-first.log") {
		t.Errorf("%q, %q", text, script.Hint())
	}
	if now, err := os.ReadFile(index); err != nil || string(now) != string(tags) {
		t.Errorf("there are other tags: %v", err)
	}
	if len(b.output.Images) > 0 {
		t.Error("outputs are written")
	}
	started, _ := checks(b)
	if !reflect.DeepEqual(started, []string{"top:first script changed"}) {
		t.Errorf("started %q", started)
	}
	for _, j := range b.runner.Jobs() {
		if !j.Discard {
			t.Errorf("a node was executed on what has failed: %+v", j)
		}
	}
	if got := b.status(); got["top?first"] != "script changed" {
		t.Errorf("it is remembered: %q", got)
	}
	// Of a project below that is asked for alone, the checks above count, too.
	if _, err := engine.Build(t.Context(), b.planFor([]string{"top/low"}), b.o); !errors.As(err, &script) {
		t.Errorf("below: %v", err)
	}
}

// TestCheckSecret: a secret that a check prints is not in its error.
func TestCheckSecret(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + `
values: {pw: {default: hunter2, secret: true}}
checks: [{name: pw, run: "cat /run/xtoo/secrets/pw\necho hunter2\nexit 1"}]
`})
	_, err := engine.Build(t.Context(), b.plan(), b.o)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "(secret)") {
		t.Errorf("%v", err)
	}
}

// TestChecksAndCleaning: what is known of checks stays as long as their image, and no longer.
func TestChecksAndCleaning(t *testing.T) {
	b := newBench(t, checked)
	b.counts(2, 0)
	b.write("top/.xtoo-config.yaml", strings.Replace(checked["top"], "cat /one\\necho changed", "echo changed", 1))
	b.counts(0, 2)
	if found := onlyFile(t, b.dir, "cache/checks/1/*"); len(found) != 4 {
		t.Fatalf("records %q", found)
	}
	clean := func() {
		t.Helper()
		if _, said, err := b.clean(); err != nil || len(said) > 0 {
			t.Fatal(err, said)
		}
	}
	clean()
	if found := onlyFile(t, b.dir, "cache/checks/1/*"); len(found) != 3 {
		t.Errorf("records after a cleaning %q", found)
	}
	if res := b.counts(0, 2); res.ChecksCached != 3 {
		t.Errorf("after a cleaning: %+v", res)
	}
	if logs := onlyFile(t, b.dir, "logs/*-check-*"); len(logs) != 3 {
		t.Errorf("logs after a cleaning %q", logs)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "oci/index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	clean()
	if found, err := filepath.Glob(filepath.Join(b.dir, "cache/checks/1/*")); err != nil || len(found) > 0 {
		t.Errorf("records without images %q, %v", found, err)
	}
}
