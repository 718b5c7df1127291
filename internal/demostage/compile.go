package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"xtoo/qemu"
)

// compile builds the multi-call binary for an architecture and returns its path.
func compile(ctx context.Context, goProgram, dir string, a qemu.Arch) (string, error) {
	path := filepath.Join(dir, "box-"+a.Architecture)
	cmd := exec.CommandContext(ctx, goProgram, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", path, "xtoo/internal/demostage/box")
	cmd.Env = append(os.Environ(), goEnv(a)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the multi-call binary for %s: %w\n%s", a, err, out)
	}
	return path, nil
}

// goEnv is an architecture in Go's words. The level of its instructions is always named, so that the environment has
// no say in the bytes: the lowest that the subarch's machines have.
func goEnv(a qemu.Arch) []string {
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + a.Architecture}
	switch a.Architecture {
	case "amd64":
		env = append(env, "GOAMD64=v1")
	case "386":
		env = append(env, "GO386=softfloat") // an i486 has no SSE2
	case "arm":
		env = append(env, "GOARM="+strings.TrimPrefix(a.Variant, "v"))
	case "arm64":
		env = append(env, "GOARM64=v8.0")
	case "riscv64":
		env = append(env, "GORISCV64=rva20u64")
	}
	return env
}

// toolNames asks the binary for the names it answers to; for another architecture, a native one is asked.
func toolNames(ctx context.Context, goProgram, dir, box string, a qemu.Arch) ([]string, error) {
	if a.Architecture != runtime.GOARCH {
		var err error
		if box, err = compile(ctx, goProgram, dir, qemu.Host()); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, box, "--list")
	cmd.Args[0] = "box"
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ask the multi-call binary for its tools: %w", err)
	}
	return strings.Fields(string(out)), nil
}
