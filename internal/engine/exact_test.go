package engine_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"xtoo/internal/engine"
)

// labels are those of the images that were written, by tag.
func (b *bench) labels(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, img := range b.output.Images {
		data, err := os.ReadFile(b.blob(img.Config.Digest))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Config struct{ Labels map[string]string } `json:"config"`
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		all[img.Project.Project.Tag] = doc.Config.Labels["xtoo.inexact"]
	}
	return all
}

// TestInexact: an image in which something could not be recorded says so, whoever builds on it, until it is made anew.
func TestInexact(t *testing.T) {
	b := newBench(t, threeProjects)
	b.runner.Inexact = []string{"owners on some file system"}
	b.counts(4, 0)
	if w := b.happened(engine.EventWarning); len(w) != 1 || !strings.Contains(w[0], "owners on some file system (the image gets the label xtoo.inexact)") {
		t.Errorf("warnings %q", w)
	}
	for _, again := range []bool{false, true} {
		if got := b.labels(t); got["top"] != "base/one" || got["top/host"] != "greet" || got["top/host/web"] != "greet" {
			t.Errorf("again %v: labels %v", again, got)
		}
		b.counts(0, 4)
	}
	b.o.RequireExact = true
	if got := b.status()["top:base/one"]; got != "what the cache has may not be what root would make" {
		t.Errorf("%q", got)
	}
	if _, err := engine.Build(t.Context(), b.plan(), b.o); err == nil || !strings.Contains(err.Error(), "its layer may not be what root would make: owners on some file system") {
		t.Errorf("%v", err)
	}
	b.runner.Inexact = nil
	b.counts(2, 2) // two change nothing, and say nothing
	if got := b.labels(t); got["top"]+got["top/host"]+got["top/host/web"] != "" {
		t.Errorf("labels %v", got)
	}
}
