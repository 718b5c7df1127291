package local

import (
	"io"
	"regexp"
	"slices"

	"xtoo/internal/engine"
)

// becoming are names of programs that become other users than 0, as a rule. It is a guess, of which nothing depends but time: a
// script that turns out to do so is begun anew, see [chroot.Node].Steady.
const becoming = `\b(emerge|ebuild|apt|apt-get|aptitude|su|sudo|doas|runuser|setpriv|gosu|chpst|start-stop-daemon)\b`

// maxLooked is how much of a script is looked at, in bytes.
const maxLooked = 1 << 20

// becomesAnother says whether the script begins as one that becomes another user where that is only recorded: a guess from its text, or because
// it could not be begun anew without being noticed.
func (x *execution) becomesAnother() bool {
	if idsOf(x.host) != 1 {
		return false
	}
	// What a script did to a volume stays when it is begun anew, and it may not be able to do it twice.
	if slices.ContainsFunc(x.job.Volumes, func(v engine.Volume) bool { return !v.ReadOnly }) {
		return true
	}
	in, err := x.r.o.Store.OpenInput(x.job.Script.Digest)
	if err != nil {
		return false // files says so
	}
	defer in.Close() // read only
	text, err := io.ReadAll(io.LimitReader(in, maxLooked))
	return err == nil && regexp.MustCompile(becoming).Match(text)
}
