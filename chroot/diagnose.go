package chroot

import (
	"context"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// Diagnose tries what a build needs, for real, in the order in which a build needs it. storeDir is where the layer
// directories of the store are or will be; directories made in it for the trial are removed again. h is what Probe returned, and may be nil
// when that failed. It takes some tenths of a second.
// emulators are as for [Host.Emulate].
func Diagnose(ctx context.Context, h *Host, storeDir string, emulators []string) []host.Finding {
	findings := []host.Finding{host.KernelFinding()}
	if h == nil {
		var err error
		if h, err = Probe(); err != nil {
			name := "user namespaces"
			if errors.Is(err, unix.EAGAIN) {
				name = "processes"
			}
			return append(findings, host.Failed(name, host.StateBad, err))
		}
		defer h.Close()
	}
	dir, err := host.NearestDir(storeDir)
	if err != nil {
		return append(findings, host.Failed("store", host.StateBad, err))
	}
	findings = append(findings, trial(ctx, h, host.Finding{Name: "user namespaces", Detail: host.Switches()}, diagnoseArgs{}, 0, nil)...)
	findings = append(findings, h.Findings()...)
	if len(findings) > 1 && findings[1].State == host.StateBad {
		return append(findings, host.StoreFindings(dir, storeDir)...)
	}
	findings = append(findings, h.nobodyFinding(ctx, dir)...)
	inside := diagnoseArgs{Dir: dir, Groups: h.Setgroups, LastUID: h.LastUID()}
	findings = append(findings, trial(ctx, h, host.Finding{Name: "process namespaces", Detail: "pid, ipc and uts namespaces"}, inside,
		unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS, nil)...)
	findings = append(findings, trial(ctx, h, host.Finding{Name: "network namespace", Detail: "network: none has a loopback interface of its own"}, diagnoseArgs{Loopback: true}, unix.CLONE_NEWNET,
		func(one *host.Finding) {
			one.State = host.StateWarn
			one.Hint = strings.TrimSpace(one.Hint + " (only projects with network: none need it)")
		})...)
	if can, exact := whole(findings); can {
		findings = append(findings, scriptFinding(ctx, h, dir, exact))
	}
	findings = append(findings, controlGroupFinding())
	findings = append(findings, archFindings(ctx, h, emulators)...)
	return append(findings, host.StoreFindings(dir, storeDir)...)
}

// whole says whether all that was tried so far works, and with it what is recorded.
func whole(findings []host.Finding) (can, exact bool) {
	can, exact = true, true
	for _, f := range findings {
		can = can && f.State != host.StateBad
		exact = exact && (f.Name != nameRecords || f.State == host.StateOK)
	}
	return can, exact
}

// nobodyFinding says which ids scripts have when real root builds.
func (h *Host) nobodyFinding(ctx context.Context, dir string) []host.Finding {
	if !h.RealRoot() || h.Tier != host.TierMapped {
		return nil
	}
	f := host.Finding{Name: "ids of scripts", State: host.StateOK, Detail: "nobody's on this machine; the owners of files are mapped"}
	err := h.prepareNobody(ctx)
	if err == nil {
		var tree *os.File
		if tree, err = h.nobody.mapped(dir); err == nil {
			err = tree.Close()
		}
	}
	if err != nil {
		f.State, f.Detail = host.StateWarn, "root's own: "+err.Error()
		f.Hint = "scripts cannot change the machine's settings all the same, but not mount a /proc of their own either: " +
			"keep the store on ext4, xfs or btrfs, under Linux 5.19 or later, and build outside of containers"
	}
	return []host.Finding{f}
}

// trial runs the diagnosing stage and returns what it found, behind a finding about the namespaces themselves: good, if
// they could be made.
func trial(ctx context.Context, h *Host, good host.Finding, args diagnoseArgs, namespaces uintptr, soften func(*host.Finding)) []host.Finding {
	var found []host.Finding
	p, err := h.Start(ctx, stage.Command{Stage: stageDiagnose, Args: args, Namespaces: namespaces})
	if err == nil {
		err = p.Wait(&found)
	}
	if err != nil {
		one := host.Failed(good.Name, host.StateBad, err)
		if soften != nil {
			soften(&one)
		}
		return append([]host.Finding{one}, found...)
	}
	good.State = host.StateOK
	return append([]host.Finding{good}, found...)
}
