package main

import (
	"context"
	"fmt"
)

// chainNodes is how many nodes the longer chains have.
const chainNodes = 200

// noted returns what makes n scripts of a token: each changes one file.
func noted(n int) func(string) []string {
	return func(token string) []string { return notes(n, token) }
}

// chain: many small nodes, one after the other, against the program before.
func (b *bench) chain(ctx context.Context) ([]row, error) {
	demo, err := b.demoStage3(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, on := range []struct{ name, root, stage3, missing string }{
		{"chain-demo", "the demo's root", demo, ""},
		{"chain-full", "full stage3", b.full, b.lacksFull()},
	} {
		what := fmt.Sprintf("a chain of %d nodes that change one file each, %s", chainNodes, on.root)
		var p pair
		missing := on.missing
		if missing == "" {
			missing = b.lacksBase()
			ours, before, err := b.changers(ctx, change{name: on.name, what: what, stage3: on.stage3, fresh: noted(chainNodes)})
			if err != nil {
				return nil, err
			}
			if p, err = b.sideBySide(ours, before); err != nil {
				return nil, err
			}
			if err := b.dropChangers(ctx, on.name); err != nil {
				return nil, err
			}
		}
		rows = append(rows, compare(cpu, what, former, p, 0.4, missing))
	}
	return rows, nil
}

// lacksFull names the full stage3, where the demo's stands in for it, or "".
func (b *bench) lacksFull() string {
	if b.demo {
		return "-stage3-full FILE"
	}
	return ""
}

// layers: whether a project's many layers cost more than in proportion.
func (b *bench) layers(ctx context.Context) ([]row, error) {
	demo, err := b.demoStage3(ctx)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("a project with %d layers, all of its nodes executed", chainNodes)
	few := change{name: "layers-few", what: what, stage3: demo, fresh: noted(chainNodes / 2)}
	many := change{name: "layers-many", what: what, stage3: demo, fresh: noted(chainNodes)}
	// Twice of 100, and a tenth for what the clock of a machine with other work makes of it.
	return b.growth(ctx, few, many, fmt.Sprintf("with %d", chainNodes/2), 2.2)
}

// growth measures a small change and a large one of the same kind, by both programs: their wall and their CPU time.
func (b *bench) growth(ctx context.Context, few, many change, label string, limit float64) ([]row, error) {
	var each []measurer
	for _, c := range []change{few, many} {
		ours, before, err := b.changers(ctx, c)
		if err != nil {
			return nil, err
		}
		each = append(each, ours, before)
	}
	m, err := b.inTurn(each...)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, k := range []kind{wall, cpu} {
		rows = append(rows, growth(k, many.what, label, pair{m[0], m[1]}, pair{m[2], m[3]}, limit))
	}
	return rows, b.dropChangers(ctx, few.name, many.name)
}

// files: whether many changed files cost more than in proportion. The script's own time is in both.
func (b *bench) files(ctx context.Context) ([]row, error) {
	const what = "a node that changes 100,000 files, mini stage3"
	few := change{name: "files-few", what: what, stage3: b.mini, fresh: only(writeFiles(10))}
	many := change{name: "files-many", what: what, stage3: b.mini, fresh: only(writeFiles(100))}
	return b.growth(ctx, few, many, "10,000", 11)
}

// writeFiles is a script, for any /bin/sh, that writes a thousand files into each of so many directories.
func writeFiles(directories int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do d=/srv/%%s/$i; mkdir -p $d; i=$((i+1)); "+
		"j=0; while [ $j -lt 1000 ]; do echo $j > $d/$j; j=$((j+1)); done; done", directories)
}
