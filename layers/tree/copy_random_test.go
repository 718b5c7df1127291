package tree

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// randomStep is what a script does to a tree with names that other scripts use, too, so that they meet: of all kinds of files, and most of all what
// an overlay and a copy could take for different things. Nothing of it fails a script.
func randomStep(r *rand.Rand, owners bool) string {
	name := func() string {
		parts := []string{"a", "b", "d", "e", "f"}
		path := make([]string, 1+r.IntN(3))
		for i := range path {
			path[i] = parts[r.IntN(len(parts))]
		}
		return strings.Join(path, "/")
	}
	mode := func() string { return []string{"755", "644", "4711", "2775", "1777", "700", "600"}[r.IntN(7)] }
	n := 3 + r.IntN(12)
	lines := make([]string, 0, n)
	for range n {
		a, b := name(), name()
		ops := []string{
			fmt.Sprintf("test -p %[2]s || echo %[1]d > %[2]s", r.IntN(3), a), fmt.Sprintf("test -p %[2]s || printf %[1]d >> %[2]s", r.IntN(3), a), fmt.Sprintf("mkdir -p %s", a), fmt.Sprintf("rm -rf %s", a),
			fmt.Sprintf("mv -T %s %s", a, b), fmt.Sprintf("ln %s %s", a, b), fmt.Sprintf("ln -s %s %s", a, b), fmt.Sprintf("cp -a %s %s", a, b),
			fmt.Sprintf("chmod %s %s", mode(), a), fmt.Sprintf("touch %s", a), fmt.Sprintf("touch -h -d @%d %s", 1000000000+r.IntN(2), a),
			fmt.Sprintf("mkfifo %s", a), fmt.Sprintf("rm -r %s; mkdir %s", a, a), fmt.Sprintf("chmod 711 %s; chmod 644 %s", a, a),
			fmt.Sprintf("test -p %[1]s || { cat %[1]s > t && cat t > %[1]s; }; rm -f t", a), fmt.Sprintf("truncate -s %d %s", r.IntN(300000), a),
			fmt.Sprintf("setfattr -n user.x -v %d %s", r.IntN(2), a), fmt.Sprintf("setfattr -x user.x %s", a), fmt.Sprintf("mv -T %s n; mv -T n %s", a, a),
		}
		if owners {
			ops = append(ops, fmt.Sprintf("chown -h %d:%d %s", r.IntN(3), r.IntN(3), a), fmt.Sprintf("chown -R %d %s", r.IntN(3), a))
		}
		lines = append(lines, "("+ops[r.IntN(len(ops))]+") 2>/dev/null || :")
	}
	return strings.Join(lines, "\n")
}

// TestCopyRandom does the same random steps in overlays and in copies, one on top of the other: the layers have the same bytes.
func TestCopyRandom(t *testing.T) {
	testutil.Need(t, "setfattr")
	chains, steps := 2, 4
	if testutil.IsLong() {
		chains = 60
	}
	inTiers(t, func(t *testing.T, tier string) {
		for seed := range chains {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(seed), 7))
				low, _ := unpackTo(t, "low", testutil.Tar(t, testutil.Dir("./"), testutil.File("a", "a"), testutil.Link("b", "a"), testutil.Dir("d/"), testutil.File("d/a", "da"),
					testutil.Link("d/e", "d/a"), testutil.Dir("d/d/"), testutil.Link("d/d/f", "d/a"), testutil.File("d/d/a", "x"), testutil.Symlink("e", "d/a")))
				lowers := []string{low}
				for range steps {
					script := randomStep(r, tier == "mapped")
					c := step(t, lowers, script)
					if t.Failed() {
						t.Fatalf("%s", script)
					}
					if c.res.Entries > 0 {
						lowers = append([]string{c.upper}, lowers...)
					}
				}
			})
		}
	})
}
