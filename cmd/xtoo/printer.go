package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"xtoo/internal/engine"
	"xtoo/projects"
)

// A printer tells the user how a build goes on.
type printer interface {
	event(engine.Event)
	result(engine.Result) error
}

func newPrinter(g *globals) printer {
	if g.json {
		return &jsonPrinter{w: g.out}
	}
	return &textPrinter{out: g.out, err: g.err, quiet: g.quiet}
}

// jsonPrinter prints one JSON object a line: every event, and at the end the result.
type jsonPrinter struct {
	mu  sync.Mutex
	w   io.Writer
	err error // the first error of writing; the result reports it
}

func (p *jsonPrinter) event(e engine.Event) { p.line(e) }

func (p *jsonPrinter) result(r engine.Result) error {
	p.line(struct {
		Kind string `json:"event"`
		engine.Result
	}{"result", r})
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *jsonPrinter) line(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && p.err == nil {
		p.err = err
	}
}

// textPrinter prints lines for people: what happens and what scripts print to standard error, outputs to
// standard output.
type textPrinter struct {
	mu       sync.Mutex
	out, err io.Writer
	quiet    bool
	failed   error
}

func (p *textPrinter) event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Kind == engine.EventWarning {
		say(p.err, "warning", e.Text)
		return
	}
	if text := describe(e); text != "" && !p.quiet {
		if _, err := fmt.Fprintln(p.err, text); err != nil && p.failed == nil {
			p.failed = err
		}
	}
}

// describe says in a line what happened; the empty line says nothing.
func describe(e engine.Event) string {
	name := projects.Label(e.Project, e.Platform)
	if e.Node != "" {
		name += ":" + e.Node
	}
	if e.Check != "" {
		name += " check " + e.Check
	}
	switch e.Kind {
	case engine.EventImport:
		return fmt.Sprintf("%s  reading %s", name, e.Path)
	case engine.EventBase:
		return fmt.Sprintf("%s  base %s  %d entries, %s, %s", name, short(e.Digest.Encoded()), e.Entries, size(e.Bytes), seconds(e.Elapsed))
	case engine.EventStart:
		return fmt.Sprintf("%s  running (%s)", name, e.Why)
	case engine.EventOutput:
		return fmt.Sprintf("%s | %s", name, printable(e.Text))
	case engine.EventNode:
		return describeNode(name, e)
	case engine.EventDiffers:
		if e.Text != "" {
			return fmt.Sprintf("%s  once more, its script %s", name, e.Text)
		}
		return fmt.Sprintf("%s  gave another layer, which differs in %s", name, plural(len(e.Differences)+e.More, "member"))
	case engine.EventCheck:
		if e.State == engine.StateCached {
			return name + "  cached"
		}
		return fmt.Sprintf("%s  %s, %s", name, e.State, seconds(e.Elapsed))
	case engine.EventImage:
		if e.State == engine.StateIndex {
			return fmt.Sprintf("%s  index %s", name, e.Digest)
		}
		return fmt.Sprintf("%s  image %s", name, e.Digest)
	case engine.EventWaiting:
		return fmt.Sprintf("%s  waiting: the same is being done elsewhere", name)
	case engine.EventEmulation:
		return fmt.Sprintf("%s  %s", e.Platform, e.Text)
	case engine.EventWritten:
		return fmt.Sprintf("%s  %s %s", strings.TrimSpace(name), e.State, e.Path)
	}
	return ""
}

func describeNode(name string, e engine.Event) string {
	switch e.State {
	case engine.StateCached:
		return name + "  cached"
	case engine.StateNothing:
		return fmt.Sprintf("%s  changed nothing, no layer, %s", name, seconds(e.Elapsed))
	}
	return fmt.Sprintf("%s  layer %s  %d entries, %s, %s", name, short(e.Digest.Encoded()), e.Entries, size(e.Bytes), seconds(e.Elapsed))
}

func (p *textPrinter) result(r engine.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet || p.failed != nil {
		return p.failed
	}
	text := fmt.Sprintf("%s: %s executed, %d cached", plural(len(r.Images), "image"), plural(r.Executed, "node"), r.Cached)
	if r.Checked+r.ChecksCached > 0 {
		text += fmt.Sprintf("; %s executed, %d cached", plural(r.Checked, "check"), r.ChecksCached)
	}
	_, err := fmt.Fprintln(p.out, text)
	return err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func short(hex string) string {
	if len(hex) > 12 {
		return hex[:12]
	}
	return hex
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// size writes a number of bytes for people, in units of 1000.
func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	default:
		return fmt.Sprintf("%d MB", n/1_000_000)
	}
}
