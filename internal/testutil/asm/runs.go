package asm

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Native is the machine that the test was compiled for; EM_NONE where [Program] makes nothing for it.
func Native() elf.Machine {
	return map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "386": elf.EM_386, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "riscv64": elf.EM_RISCV,
	}[runtime.GOARCH]
}

// Runs reports whether this machine executes programs for another one, by executing one. It may do it itself, or by an
// emulator that is registered with binfmt_misc.
func Runs(t testing.TB, machine elf.Machine) bool {
	t.Helper()
	const code = 42
	data, err := Program(machine, Exit(code))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	err = exec.CommandContext(t.Context(), path).Run()
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == code
}
