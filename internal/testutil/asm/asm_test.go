package asm_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/asm"
)

// write puts a program into a directory and returns its path.
func write(t *testing.T, dir, name string, machine elf.Machine, steps ...asm.Step) string {
	t.Helper()
	data, err := asm.Program(machine, steps...)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// machine is one of those that programs are made for, and how it is run here: by the emulator, if one is named.
type machine struct {
	elf      elf.Machine
	uname    string
	emulator string
}

func machines() []machine {
	return []machine{
		{elf.EM_X86_64, "x86_64", ""},
		{elf.EM_386, "x86_64", ""}, // without a 32-bit personality
		{elf.EM_X86_64, "x86_64", "qemu-x86_64-static"},
		{elf.EM_386, "i686", "qemu-i386-static"},
		{elf.EM_AARCH64, "aarch64", "qemu-aarch64-static"},
		{elf.EM_ARM, "armv7l", "qemu-arm-static"},
		{elf.EM_RISCV, "riscv64", "qemu-riscv64-static"},
	}
}

// command runs a program, or ends the test where this machine cannot.
func (m machine) command(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	if m.emulator != "" {
		testutil.Need(t, m.emulator)
		cmd := exec.CommandContext(t.Context(), m.emulator, append([]string{"-0", "program", path}, args...)...)
		if m.elf == elf.EM_ARM {
			cmd.Args = append([]string{m.emulator, "-cpu", "cortex-a7"}, cmd.Args[1:]...)
		}
		return cmd
	}
	if !asm.Runs(t, m.elf) {
		testutil.SkipOrFail(t, "this machine executes no programs for %v", m.elf)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Args = append([]string{"program"}, args...)
	return cmd
}

func each(t *testing.T, test func(t *testing.T, m machine)) {
	t.Helper()
	for _, m := range machines() {
		name := m.emulator
		if name == "" {
			name = m.elf.String()
		}
		t.Run(name, func(t *testing.T) { test(t, m) })
	}
}

// TestSteps does everything once, and ends as another program.
func TestSteps(t *testing.T) {
	each(t, func(t *testing.T, m machine) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "gone"), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "file")
		path := write(t, dir, "program", m.elf, asm.Print("one\x00two\n"), asm.Machine(), asm.Given(), asm.WriteFile(file, "new\n"),
			asm.Rmdir(filepath.Join(dir, "gone")), asm.Become("/nonexistent"), asm.Print("still here\n"), asm.Exit(7))
		cmd := m.command(t, path, "two  words", "")
		cmd.Env = []string{"A=1"} // one: qemu turns the order round
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("%v: %s", err, &errs)
		}
		if want := "one\x00two\n" + m.uname + "\nprogram\ntwo  words\n\nA=1\nstill here\n"; string(out) != want {
			t.Errorf("it printed %q, want %q", out, want)
		}
		if got, err := os.ReadFile(file); string(got) != "new\n" {
			t.Errorf("the file has %q, %v", got, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "gone")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory: %v", err)
		}
	})
}

// TestBecome: only a program of this machine can be had without a registration.
func TestBecome(t *testing.T) {
	dir := t.TempDir()
	m := machine{elf: asm.Native()}
	second := write(t, dir, "second", m.elf, asm.Given(), asm.Exit(3))
	first := write(t, dir, "first", m.elf, asm.Become(second, "a", "b c"), asm.Print("not here\n"))
	out, err := m.command(t, first).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || string(out) != second+"\na\nb c\n" {
		t.Errorf("%v: %q", err, out)
	}
}

// TestWait: nothing but a signal ends it.
func TestWait(t *testing.T) {
	each(t, func(t *testing.T, m machine) {
		cmd := m.command(t, write(t, t.TempDir(), "program", m.elf, asm.Print("ready\n"), asm.Wait(), asm.Exit(4)))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 6)
		if _, err := out.Read(line); err != nil || string(line) != "ready\n" {
			t.Errorf("%q, %v", line, err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("it ended with %v", err)
		}
		if ws, ok := exit.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGTERM {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestNoMachine(t *testing.T) {
	if data, err := asm.Program(elf.EM_S390, asm.Exit(0)); err == nil || data != nil {
		t.Errorf("a program for S/390: %d bytes, %v", len(data), err)
	}
}
