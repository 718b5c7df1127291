package local

import (
	"io"
	"regexp"
)

// becoming are names of programs that become other users than 0, as a rule. It is a guess, of which nothing depends but time: a
// script that turns out to do so is begun anew, see [chroot.Node].Steady.
const becoming = `\b(emerge|ebuild|apt|apt-get|aptitude|su|sudo|doas|runuser|setpriv|gosu|chpst|start-stop-daemon)\b`

// maxLooked is how much of a script is looked at, in bytes.
const maxLooked = 1 << 20

// becomesAnother guesses from the text of the script whether it will become another user where that is only recorded.
func (x *execution) becomesAnother() bool {
	if idsOf(x.host) != 1 {
		return false
	}
	in, err := x.r.o.Store.OpenInput(x.job.Script.Digest)
	if err != nil {
		return false // files says so
	}
	defer in.Close() // read only
	text, err := io.ReadAll(io.LimitReader(in, maxLooked))
	return err == nil && regexp.MustCompile(becoming).Match(text)
}
