package chroot

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/qemu"
)

// failed words what was tried, and what would help here.
func (t *attempt) failed() error {
	var why, help []string
	if t.findErr != nil {
		why = append(why, t.findErr.Error())
	}
	for _, reason := range []string{t.own.Unavailable, t.own.Why, t.host.Why} {
		if reason != "" {
			why = append(why, reason)
		}
	}
	switch wrong := t.findErr != nil || t.own.Blame; {
	case wrong && t.emulator.Given:
		help = append(help, "name another emulator with --qemu, or leave --qemu out to use what is on the PATH")
	case wrong:
		help = append(help, t.arch.Packages())
	}
	if t.own.Unavailable != "" {
		help = append(help, t.administrator())
	}
	err := fmt.Errorf("%s: %w: %w", t.arch, ErrNoEmulation, &worded{text: strings.Join(why, "; "), err: t.findErr})
	return &host.Error{Err: err, Hint: strings.Join(help, "\n")}
}

// administrator says what one does for every user of the machine.
func (t *attempt) administrator() string {
	a, release := t.arch, host.KernelRelease()
	since := "Linux 6.7 or newer lets every user register an emulator; this is " + release + "."
	if host.AtLeast(release, 6, 7) {
		since = "This Linux, " + release + ", lets every user register an emulator, but that was not to be had here."
	}
	lines := []string{
		since + " An administrator can do it for all, as root:",
		"  mountpoint -q " + qemu.BinfmtDir + " || mount -t binfmt_misc binfmt_misc " + qemu.BinfmtDir,
	}
	if all, err := qemu.Registrations(qemu.BinfmtDir); err == nil {
		for _, r := range all {
			if r.Runs(a) { // the name may be the one below
				lines = append(lines, "  echo -1 > '"+qemu.BinfmtDir+"/"+r.Name+"'")
			}
		}
	}
	rule := qemu.Rule(a.Emulator, a, t.trusted(), qemu.FlagOpen+qemu.FlagCredentials+qemu.FlagFix)
	return strings.Join(append(lines, "  printf '%s\\n' '"+rule+"' > "+qemu.BinfmtDir+"/register"), "\n")
}

// trusted is the emulator that an administrator may register for everybody: one of the system's, whoever found which.
func (t *attempt) trusted() string {
	p := t.emulator.Path
	if filepath.Dir(p) == "/usr/bin" && !strings.ContainsAny(p, "':\n") {
		return p
	}
	return "/usr/bin/" + t.arch.Emulator + "-static"
}

// explainBinfmt words why a user namespace gets no binfmt_misc.
func explainBinfmt(err error) string {
	release := host.KernelRelease()
	switch {
	case errors.Is(err, unix.ENODEV):
		return "this kernel has no binfmt_misc (as root: modprobe binfmt_misc; CONFIG_BINFMT_MISC)"
	case !host.AtLeast(release, 6, 7):
		return "a user namespace gets no binfmt_misc of its own before Linux 6.7, and this is " + release
	}
	return err.Error()
}

// worded has a text of its own and wraps an error that is part of it, if there is one.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.err }
