package chroot

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

var updateCreds = flag.Bool("update-creds", false, "write testdata/creds anew, as the kernel answers in the mapped tier")

// credRoot is a root with the program that makes calls, and some copies of it with other owners and modes. The owners are
// set by a process of the node, as in a build.
func credRoot(t *testing.T, h *Host, env ...string) *testRoot {
	t.Helper()
	return credRootOf(t, h, Emulation{}, env...)
}

// credRootOf is credRoot for another architecture.
func credRootOf(t *testing.T, h *Host, e Emulation, env ...string) *testRoot {
	t.Helper()
	r := newRootOf(t, h, testProgram(t, "credguest", env...), append(ordinary(), "lower/work")...)
	r.node.Emulation = e
	data, err := os.ReadFile(filepath.Join(r.Lower, "bin/guest"))
	must(t, err)
	for _, name := range []string{"suid", "sgid", "both", "sgid-noexec", "suid-root", "plain"} {
		must(t, os.WriteFile(filepath.Join(r.Lower, "bin", name), data, 0o755))
	}
	for name, text := range map[string]string{"script": "#!/bin/suid ;\n", "no-program": "true\n"} {
		must(t, os.WriteFile(filepath.Join(r.Lower, "bin", name), []byte(text), 0o755))
	}
	out, _ := r.run("umask", "0", ";", "chown", "/bin/suid", "500", "0", ";", "chmod", "/bin/suid", "4755", ";", "chown", "/bin/sgid", "0", "600", ";", "chmod", "/bin/sgid", "2755",
		";", "chown", "/bin/both", "500", "600", ";", "chmod", "/bin/both", "6755", ";", "chown", "/bin/sgid-noexec", "0", "600", ";", "chmod", "/bin/sgid-noexec", "2745",
		";", "chmod", "/bin/suid-root", "4755", ";", "chown", "/bin/script", "700", "700", ";", "chmod", "/bin/script", "6755",
		";", "chown", "/bin/no-program", "700", "0", ";", "chmod", "/bin/no-program", "4755",
		";", "mkdir", "/work/open", "0777", ";", "mkdir", "/work/theirs", "0755", ";", "chown", "/work/theirs", "500", "600",
		";", "mkdir", "/work/setgid", "0777", ";", "chown", "/work/setgid", "0", "700", ";", "chmod", "/work/setgid", "2777", ";", "mkdir", "/work/roots", "0755")
	if strings.Contains(out, "= E") {
		t.Fatalf("make the root:\n%s", out)
	}
	return r
}

// TestCreds makes the calls of each file of testdata/creds, and expects the answers that stand there behind them, which are
// the kernel's own to real root.
func TestCreds(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) { transcribeAll(t, credRoot(t, h), "testdata/creds") })
}

// TestCredsOfEveryABI does so by programs of 32 bits, and the old calls that only these have.
func TestCredsOfEveryABI(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are x86's")
	}
	eachTier(t, func(t *testing.T, h *Host) {
		e, err := h.Emulate(t.Context(), arch(t, "x86-32bit"), nil)
		must(t, err)
		if e.How != HowCompat {
			t.Logf("32-bit programs are executed as %s: not the kernel's answers", e.How)
			return
		}
		r := credRootOf(t, h, e, "GOARCH=386")
		if h.Tier == host.TierSingle || h.HasGID(70002) { // the highest id in them
			transcribeAll(t, r, "testdata/creds/old")
		}
		if h.Tier == host.TierSingle {
			transcribeAll(t, r, "testdata/creds")
		}
	})
}

// TestCredsEmulated: the calls of an emulator are those of the program that it executes.
func TestCredsEmulated(t *testing.T) {
	testutil.Long(t, "compiles Go programs for two architectures")
	ownBinfmt(t)
	h := single(t)
	for _, f := range foreigners()[:2] {
		t.Run(f.name, func(t *testing.T) {
			a := arch(t, f.name)
			needForeign(t, a)
			e, err := h.Emulate(t.Context(), a, nil)
			must(t, err)
			r := credRootOf(t, h, e, f.build...)
			for _, name := range []string{"users", "saved", "exec", "create"} {
				transcribe(t, r, "testdata/creds/"+name+".txt", "openat2") // which not all emulators know
			}
		})
	}
}

func transcribeAll(t *testing.T, r *testRoot, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("no files in %s", dir)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { transcribe(t, r, file) })
	}
}

// TestCredsAtRandom makes calls at random, in the mapped tier and in the single one, and expects the same answers.
func TestCredsAtRandom(t *testing.T) {
	h := probed(t)
	if h.Tier == host.TierSingle {
		t.Skip("not both tiers ran")
	}
	rounds := 3
	if testutil.IsLong() {
		rounds = 100
	}
	var said [2][]string
	eachTier(t, func(t *testing.T, h *Host) {
		r := credRoot(t, h)
		i := 0
		if h.Tier == host.TierSingle {
			i = 1
		}
		for seed := range rounds {
			out, _ := r.run(randomCalls(rand.New(rand.NewPCG(uint64(seed), 1)))...)
			said[i] = append(said[i], out)
		}
	})
	for seed := range min(len(said[0]), len(said[1])) {
		if said[0][seed] != said[1][seed] {
			t.Errorf("seed %d: in the mapped tier\n%s\nin the single tier\n%s", seed, said[0][seed], said[1][seed])
		}
	}
}

// TestCredsOfManyProcesses: each process has its own, whoever else calls at the same time.
func TestCredsOfManyProcesses(t *testing.T) {
	n := 30
	if testutil.IsLong() {
		n = 1000
	}
	r := credRoot(t, single(t))
	out, _ := r.run("crowd", strconv.Itoa(n))
	contains(t, out, "all ended")
	for i := 1; i <= n; i++ {
		for _, name := range []string{"one", "two"} {
			if line := fmt.Sprintf("| creat /work/open/%s-%d 600 = opened 100600 %d:0 ", name, i, i); !strings.Contains(out, line) {
				t.Errorf("not there: %s", line)
			}
		}
	}
}

// randomCalls are the arguments for the program.
func randomCalls(r *rand.Rand) []string {
	id := func() string { return []string{"0", "0", "500", "600", "7", "-1"}[r.IntN(6)] }
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	kind := func() string { return pick("uid", "gid") }
	ambient := []string{"1", "3", "2"}
	if !host.AtLeast(host.KernelRelease(), 6, 16) {
		ambient = ambient[:2] // what takes an ambient set away was another rule before
	}
	var args []string
	for range 30 {
		switch r.IntN(9) {
		case 0:
			args = append(args, "set"+kind(), id())
		case 1:
			args = append(args, "setre"+kind(), id(), id())
		case 2:
			args = append(args, "setres"+kind(), id(), id(), id())
		case 3:
			args = append(args, "setfs"+kind(), id())
		case 4:
			args = append(args, "setgroups", pick("0", "600"), "9")
		case 5:
			args = append(args, "capset", pick("same", "-6", "-7", "-0", "all"), pick("same", "-7", "6,7"), pick("same", "6,7", "none"))
		case 6:
			args = append(args, "prctl", pick("8", "28", "24"), pick("0", "1", "2", "4", "16"))
		case 7:
			args = append(args, pick("exec", "execat", "execfd"), "/bin/"+pick("suid", "sgid", "both", "suid-root", "guest", "guest", "script"))
		default:
			args = append(args, "prctl", "47", ambient[r.IntN(len(ambient))], pick("6", "7"), "0", "0")
		}
		args = append(args, ";", "show", ";")
	}
	return args
}

// transcribe makes the calls of one file, but for lines with certain words.
func transcribe(t *testing.T, r *testRoot, file string, without ...string) {
	t.Helper()
	all, err := os.ReadFile(file)
	must(t, err)
	var data strings.Builder
	for line := range strings.Lines(string(all)) {
		if !slices.ContainsFunc(without, func(word string) bool { return strings.Contains(line, word) }) {
			data.WriteString(line)
		}
	}
	var args []string
	for line := range strings.Lines(data.String()) {
		call, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		if strings.HasPrefix(call, "|") || strings.HasPrefix(call, "#") || call == "" { // a child's, ours
			continue
		}
		args = append(append(args, strings.Fields(call)...), ";")
	}
	out, _ := r.run(args...)
	got := strings.Split(out, "\n")
	var made strings.Builder
	for line := range strings.Lines(data.String()) {
		line = strings.TrimSuffix(line, "\n")
		call, want, answered := strings.Cut(line, " = ")
		switch {
		case *updateCreds && strings.HasPrefix(call, "|"):
			continue
		case *updateCreds:
			for len(got) > 0 && strings.HasPrefix(got[0], "|") {
				made.WriteString(got[0] + "\n")
				got = got[1:]
			}
			if len(got) > 0 && strings.HasPrefix(got[0], call+" = ") && call != "" {
				line, got = got[0], got[1:]
			}
			made.WriteString(line + "\n")
		case answered && (len(got) == 0 || got[0] != line):
			t.Errorf("want %s = %s\ngot  %s", call, want, strings.Join(got, "\n     "))
			return
		case answered:
			got = got[1:]
		}
	}
	switch {
	case *updateCreds && r.h.Tier == host.TierMapped:
		must(t, os.WriteFile(file, []byte(made.String()), 0o644))
	case len(got) != 1:
		t.Errorf("more than was expected: %q", got)
	}
}
