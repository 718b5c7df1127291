package chroot

import (
	"strings"
	"testing"

	"xtoo/chroot/host"
)

// TestSteady: with one id, a process that is taken to stay user 0 is ended before it becomes another, or has a directory pass on what
// only a record tells, and only then.
func TestSteady(t *testing.T) {
	for _, c := range []struct {
		script   string
		unsteady bool
	}{
		{script: "as 7", unsteady: true},
		{script: "mkdir /d ; chmod /d 2755 ; chown /d 0 7", unsteady: true},
		{script: "mkdir /d ; chown /d 0 7 ; chmod /d 2755", unsteady: true},
		{script: "mkdir /d ; default /d 4000000000", unsteady: true},
		{script: "chown /bin/guest 7 0 ; chmod /bin/guest 4755 ; run /bin/guest number 40", unsteady: true},
		{script: "as 0 ; mkdir /d ; chmod /d 2755 ; chown /d 7 0 ; chmod /d 755 ; chown /d 0 8 ; run /bin/guest number 40"},
	} {
		t.Run(c.script, func(t *testing.T) {
			eachTier(t, func(t *testing.T, h *Host) {
				r := ownerRoot(t, h)
				r.node.Steady = true
				out, exit := r.run(strings.Fields("number 39 ; " + c.script + " ; number 39")...)
				if want := c.unsteady && h.Tier == host.TierSingle; exit.Unsteady != want || want == (strings.Count(out, "call 39 0") == 2) {
					t.Errorf("exit %+v, %q", exit, out)
				}
			})
		})
	}
}
