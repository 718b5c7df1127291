package chroot

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// doctorScript is where this program is in the root of the node that the doctor executes, and how it knows that it is the script.
const doctorScript = "/xtoo-doctor-script"

// scriptFinding executes a node whose script is this program: what no single trial has shown, a whole build may. With exact
// the script asks for what is recorded, and sees that it reads it back.
func scriptFinding(ctx context.Context, h *Host, near string, exact bool) host.Finding {
	const name = "script"
	dir, err := os.MkdirTemp(near, ".xtoo-doctor-")
	if err != nil {
		return host.Failed(name, host.StateBad, err)
	}
	f := runScript(ctx, h, dir, exact)
	f.Name = name
	if f.State == host.StateBad && f.Hint == "" {
		f.Hint = "a security policy may forbid it: inside a container, start that with `--security-opt seccomp=unconfined`"
	}
	if err := os.RemoveAll(dir); err != nil && f.State == host.StateOK {
		return host.Failed(name, host.StateWarn, err)
	}
	return f
}

// runScript makes what the node needs in dir, and executes it.
func runScript(ctx context.Context, h *Host, dir string, exact bool) host.Finding {
	bad := func(err error) host.Finding { return host.Failed("", host.StateBad, err) }
	program, err := os.Executable()
	if err != nil {
		return bad(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"lower", "upper", "work"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			return bad(err)
		}
	}
	var said bytes.Buffer
	args := []string{doctorScript}
	if exact {
		args = append(args, "exact")
	}
	node := Node{
		Spec: &specs.Spec{
			Process: &specs.Process{Args: args},
			Mounts:  append([]specs.Mount{readonlyBind(program, doctorScript)}, librariesOf(program)...),
		},
		Lowers: []string{at("lower")}, Upper: at("upper"), Work: at("work"), Dirs: []string{dir},
		Output: &said, ReadBack: true,
	}
	exit, err := h.Run(ctx, node)
	if errors.Is(err, ErrNoOverlay) { // roots are copies, or it would not have come to this
		node.Lowers = nil
		exit, err = h.Run(ctx, node)
	}
	switch {
	case err != nil:
		return bad(err)
	case exit.Code != 0:
		return bad(&host.Error{
			Err:  fmt.Errorf("it ended with exit code %d: %s", exit.Code, strings.TrimSpace(said.String())),
			Hint: "images would not be what they are elsewhere: a security policy may forbid to look into other processes (seccomp of a container, SELinux, AppArmor)",
		})
	case exact && len(exit.Inexact) > 0:
		return host.Finding{
			State: host.StateWarn, Detail: "executed, but not all that it asked for was recorded: " + strings.Join(exit.Inexact, "; "),
			Hint: "see docs/one-id.md; `xtoo build --require-exact` fails where that matters",
		}
	}
	detail := "one can be executed"
	if exact {
		detail += ", and gives files to others"
	}
	return host.Finding{State: host.StateOK, Detail: detail}
}

func readonlyBind(source, target string) specs.Mount {
	return specs.Mount{Type: "bind", Source: source, Destination: target, Options: []string{"bind", "ro"}}
}

// librariesOf shows a program that was linked dynamically, as some distributions do, where its libraries can be.
func librariesOf(program string) []specs.Mount {
	f, err := elf.Open(program)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	var all []specs.Mount
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		for _, dir := range []string{"/lib", "/lib64", "/usr", "/nix/store", "/gnu/store"} {
			if at, err := filepath.EvalSymlinks(dir); err == nil {
				all = append(all, readonlyBind(at, dir))
			}
		}
	}
	return all
}

// beScript is the script, when this program was started as that.
func beScript() {
	if len(os.Args) == 0 || os.Args[0] != doctorScript {
		return
	}
	if len(os.Args) > 1 {
		if err := errors.Join(giveAway("/given"), makeDevice("/device")); err != nil {
			fmt.Println(err) //nolint:forbidigo // it is the script's output
			os.Exit(1)       //nolint:forbidigo // it is the script's main
		}
	}
	os.Exit(0) //nolint:forbidigo // it is the script's main
}

// giveAway gives a file to a user and a group, and looks whose it is.
func giveAway(path string) error {
	const uid, gid = 5, 6
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chown(path, uid, gid)); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Uid != uid || st.Gid != gid {
		return fmt.Errorf("a file that was given to %d:%d is %d:%d's", uid, gid, st.Uid, st.Gid)
	}
	return nil
}

// makeDevice makes a device node, and looks whether it is one.
func makeDevice(path string) error {
	null := unix.Mkdev(1, 3)
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(null)); err != nil {
		return &os.PathError{Op: "mknod", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != null { //nolint:unconvert // other types on other machines
		return errors.New("a device node that was made is none")
	}
	return nil
}
