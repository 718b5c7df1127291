package chroot

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/qemu"
)

// noEmulation words what was tried, and what would help here.
func noEmulation(a qemu.Arch, named bool, emulator string, findErr error, own, host emulateAnswer) error {
	var why, help []string
	if findErr != nil {
		why = append(why, findErr.Error())
	}
	switch {
	case named:
		help = append(help, "name another emulator with --qemu, or leave --qemu out to use what is on the PATH")
	case findErr != nil:
		help = append(help, a.Packages())
	case own.Why != "":
		help = append(help, a.Packages())
	}
	for _, reason := range []string{own.Unavailable, own.Why, host.Why} {
		if reason != "" {
			why = append(why, reason)
		}
	}
	if own.Unavailable != "" {
		help = append(help, administrator(a, emulator))
	}
	text := strings.Join(why, "; ")
	return &HostError{Err: fmt.Errorf("%s: %w: %w", a, ErrNoEmulation, &worded{text: text, err: findErr}), Hint: strings.Join(help, "\n")}
}

// administrator says what one does for every user of the machine.
func administrator(a qemu.Arch, emulator string) string {
	if emulator == "" {
		emulator = "/usr/bin/" + a.Emulator + "-static"
	}
	since := "Linux 6.7 or newer lets every user register an emulator; this is " + kernelRelease() + "."
	if atLeast(kernelRelease(), 6, 7) {
		since = "This Linux, " + kernelRelease() + ", lets every user register an emulator, but something forbids it here."
	}
	return since + " An administrator can do it for all, as root:\n" +
		"  mountpoint -q " + qemu.BinfmtDir + " || mount -t binfmt_misc binfmt_misc " + qemu.BinfmtDir + "\n" +
		"  printf '%s\\n' '" + qemu.Rule(a.Emulator, a, emulator, qemu.FlagOpen+qemu.FlagCredentials+qemu.FlagFix) + "' > " + qemu.BinfmtDir + "/register"
}

// explainBinfmt words why a user namespace gets no binfmt_misc.
func explainBinfmt(err error) string {
	release := kernelRelease()
	switch {
	case errors.Is(err, unix.ENODEV):
		return "this kernel has no binfmt_misc (as root: modprobe binfmt_misc; CONFIG_BINFMT_MISC)"
	case !atLeast(release, 6, 7):
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
