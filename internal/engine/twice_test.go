package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"xtoo/internal/engine"
)

// counting is a runner whose scripts find the number of their execution where NUMBER stands.
type counting struct {
	engine.Runner
	bench *bench
	runs  atomic.Int64
	does  string // the script of every node that has a NUMBER
}

func (c *counting) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	if strings.HasSuffix(nodeOf(j), ":fickle") {
		var err error
		text := strings.ReplaceAll(c.does, "NUMBER", fmt.Sprint(c.runs.Add(1)))
		if j.Script.Digest, j.Script.Size, err = c.bench.o.Store.KeepInput(ctx, strings.NewReader(text)); err != nil {
			return engine.Outcome{}, err
		}
	}
	return c.Runner.Run(ctx, j, at)
}

// TestTwice: each node that is executed is executed once more; where the layers differ it is said how, and the first one counts.
func TestTwice(t *testing.T) {
	b := newBench(t, map[string]string{
		"top":     stage3 + "scripts: [{name: good, run: echo 1 > /good}, {name: fickle, run: date}, {name: nothing, run: echo x}]\n",
		"top/low": "scripts: [{name: above, run: cat /a}]\n",
	})
	c := &counting{Runner: b.o.Runner, bench: b, does: "echo same > /s\necho NUMBER > /a\necho NUMBER > /NUMBER"}
	b.o.Runner, b.o.Twice = c, true
	res, err := engine.Build(t.Context(), b.plan(), b.o)
	var differ *engine.DifferError
	if !errors.As(err, &differ) {
		t.Fatalf("%+v, %v", res, err)
	}
	want := ".xtoo-config.yaml:2:46: node fickle of project top, executed twice, gave two layers that differ in 3 members:\n" +
		"  /1: only in the first\n  /2: only in the second\n  /a: content from byte 0 on"
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("it says\n%s\nwant\n%s", err, want)
	}
	// All is built, of the first layer, and the rest is as without.
	if res.Executed != 4 || len(res.Images) != 2 || len(res.Outputs) != 1 || len(b.runner.Jobs()) != 8 {
		t.Errorf("%+v, %d jobs", res, len(b.runner.Jobs()))
	}
	var above []string
	for _, e := range b.events {
		if e.Kind == engine.EventOutput && e.Node == "above" {
			above = append(above, e.Text)
		}
		if e.Kind == engine.EventDiffers && (e.Node != "fickle" || len(e.Differences) != 3 || e.More != 0) {
			t.Errorf("%+v", e)
		}
	}
	if strings.Join(above, " ") != "1 1" {
		t.Errorf("above it is seen %q", above)
	}
	// What the cache has is not executed at all.
	b.counts(0, 4)
	b.o.Twice = false
	b.counts(0, 4)
}

// TestTwiceFails: a second execution that fails is a difference, too, and many differences are counted.
func TestTwiceFails(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + "scripts: [{name: fickle, run: date}]\n"})
	c := &counting{Runner: b.o.Runner, bench: b, does: "echo x > /x\nexit NUMBER"}
	b.o.Runner, b.o.Twice = c, true
	c.runs.Store(-1) // 0, and then 1
	_, err := engine.Build(t.Context(), b.plan(), b.o)
	if err == nil || !strings.Contains(err.Error(), "did not end well the second time: its script exited with code 1 (see ") || !strings.Contains(err.Error(), "-top-fickle-again.log)") {
		t.Errorf("%v", err)
	}
	many := ""
	for i := range 25 {
		many += fmt.Sprintf("echo NUMBER > /%c\n", 'a'+i)
	}
	c.does, b.o.NoCache = many, true
	_, err = engine.Build(t.Context(), b.plan(), b.o)
	if err == nil || !strings.Contains(err.Error(), "differ in 25 members") || !strings.HasSuffix(err.Error(), "/t: content from byte 0 on\n  and 5 more") {
		t.Errorf("%v", err)
	}
	// An error of the first execution is an error as without.
	c.does = "exit 3"
	_, err = engine.Build(t.Context(), b.plan(), b.o)
	var script *engine.ScriptError
	if !errors.As(err, &script) || errors.As(err, new(*engine.DifferError)) {
		t.Errorf("%v", err)
	}
}
