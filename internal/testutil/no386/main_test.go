package main

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/asm"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("XTOO_TEST_NO386") != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestPlayed: programs of the machine are executed, 32-bit ones are not, whatever kernel this is.
func TestPlayed(t *testing.T) {
	if asm.Native() != elf.EM_X86_64 {
		t.Skip("this machine has no 32-bit x86 programs")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		machine elf.Machine
		want    bool
	}{{elf.EM_X86_64, true}, {elf.EM_386, false}} {
		data, err := asm.Program(c.machine, asm.Print("here"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, data, 0o755); err != nil {
			t.Fatal(err)
		}
		tool := testutil.Tool{Env: []string{"XTOO_TEST_NO386=1"}}
		out, said, err := tool.Try(t, self, path)
		if (err == nil && out == "here") != c.want {
			t.Errorf("%v: %v: %s", c.machine, err, said)
		}
	}
	if _, _, err := (testutil.Tool{Env: []string{"XTOO_TEST_NO386=1"}}).Try(t, self, "/nonexistent"); exitCode(err) != 126 {
		t.Errorf("a command that is not there: %v", err)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return -1
	}
	return exit.ExitCode()
}
