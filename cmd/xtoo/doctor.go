package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/chroot"
	"xtoo/chroot/host"
)

func newDoctorCommand(g *globals) *cobra.Command {
	var emulators []string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lets this user do, and what would raise it",
		Long: `Try everything that a build needs and say what works, which tier this user gets, and
what would raise it: the exact package, setting or line of a file.

In the mapped tier a range of ids is there, and scripts can give files to any user. In the
single tier there is one id: what scripts give away is recorded, and images are complete.

For each architecture a program of it is executed: natively, under an emulator that xtoo
registers in namespaces of its own, or under one that the host has registered.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), g, emulators) },
	}
	addQemuFlag(c, &emulators)
	return c
}

// A doctorReport is what `xtoo doctor --json` prints.
type doctorReport struct {
	Tier     host.Tier      `json:"tier"`
	Reason   string         `json:"reason,omitempty"`
	Store    string         `json:"store"`
	Findings []host.Finding `json:"findings"`
}

// errCannotBuild ends `xtoo doctor` with the exit code for a machine that cannot build.
type errCannotBuild struct{ bad int }

func (e errCannotBuild) Error() string {
	return fmt.Sprintf("this machine does not let this user build: %d findings above", e.bad)
}

func runDoctor(ctx context.Context, g *globals, emulators []string) error {
	dir, scratch, err := g.storeDirs()
	if err != nil {
		return err
	}
	h, err := chroot.Probe()
	r := doctorReport{Tier: "none", Store: dir}
	if err == nil {
		defer h.Close()
		r.Tier, r.Reason = h.Tier, h.Reason
	} else {
		r.Reason = err.Error()
	}
	layers := dir
	if scratch != "" {
		layers = scratch
	}
	r.Findings = chroot.Diagnose(ctx, h, layers, emulators)
	if scratch != "" && os.Getenv("XTOO_SCRATCH") == "" {
		r.Findings = append(r.Findings, host.ScratchFinding(dir, scratch))
	}
	r.Findings = append(r.Findings, host.LockFindings(dir)...)
	if _, err := g.openStore(); err != nil {
		r.Findings = append(r.Findings, host.Finding{Name: "store", State: host.StateBad, Detail: err.Error(), Hint: hintOf(err)})
	}
	bad := 0
	for _, f := range r.Findings {
		if f.State == host.StateBad {
			bad++
		}
	}
	if g.json {
		if err := printJSON(g.out, r); err != nil {
			return err
		}
	} else if err := printDoctor(g, r); err != nil {
		return err
	}
	if bad > 0 {
		return &host.Error{Err: errCannotBuild{bad}}
	}
	return nil
}

func printDoctor(g *globals, r doctorReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "tier: %s (%s)\nstore: %s\n\n", r.Tier, r.Reason, r.Store)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-5s %s: %s\n", f.State, f.Name, printable(f.Detail)) // names of the host's may hold anything
		if f.Hint != "" {
			for line := range strings.Lines(f.Hint) {
				fmt.Fprintf(&b, "      -> %s\n", printable(strings.TrimRight(line, "\n")))
			}
		}
	}
	_, err := fmt.Fprint(g.out, b.String())
	return err
}
