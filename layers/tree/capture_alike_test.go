package tree

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/layers/inode"
)

// alikeSteps move, link and touch what is not their own.
var alikeSteps = []string{
	`mv d/far d/z; ln d/pipe p; rm d/user; ln -s x d/user; mkdir d/sub; mv d/both d/sub/; ln -s y m/new; mv m/roots d/; touch -h d/root`,
	`mv d/sub e; mv d/z d/far; mv e/both m/; rm p; ln d/pipe2 p; ln -sf z m/passed; chmod 600 d/pipe`,
}

// TestCaptureOwnersAlike: both tiers give the same bytes of such steps, and foreign tools find in them what is meant.
func TestCaptureOwnersAlike(t *testing.T) {
	dir := os.Getenv("XTOO_TEST_ALIKE")
	if dir == "" {
		dir = t.TempDir()
		t.Setenv("XTOO_TEST_ALIKE", dir)
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	inTiers(t, func(t *testing.T, tier string) {
		low, _ := unpackTo(t, "low", owned(t))
		lowers, fresh := []string{low}, ""
		for i, script := range alikeSteps {
			c := step(t, lowers, script)
			// Directories that were thrown away and made again give the same.
			if i > 0 {
				if anew := step(t, []string{fresh, low}, script); !bytes.Equal(anew.tar, c.tar) {
					t.Errorf("over directories made again:\n%s\n-- as captured:\n%s", strings.Join(list(t, anew.tar), "\n"), strings.Join(list(t, c.tar), "\n"))
				}
			}
			fresh, _ = unpackTo(t, "fresh", c.tar)
			lowers = append([]string{c.upper}, lowers...)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(tier, i)), c.tar, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	})
	if os.Getenv(tierVar) != "" || t.Failed() {
		return
	}
	all := [][]byte{owned(t)}
	for i := range alikeSteps {
		var data [2][]byte
		for j, tier := range tiers {
			var err error
			if data[j], err = os.ReadFile(filepath.Join(dir, fmt.Sprint(tier, i))); err != nil {
				t.Skipf("not both tiers ran: %v", err)
			}
		}
		if !bytes.Equal(data[0], data[1]) {
			t.Errorf("step %d, mapped:\n%s\n-- single:\n%s", i, strings.Join(list(t, data[0]), "\n"), strings.Join(list(t, data[1]), "\n"))
		}
		all = append(all, data[0])
	}
	judgeOwners(t, all)
}

// judgeOwners lets real root's tools unpack the layers of [alikeSteps], with the owners that they have in earnest.
func judgeOwners(t *testing.T, all [][]byte) {
	if os.Geteuid() != 0 {
		return // the tools cannot set them
	}
	testutil.Need(t, "umoci", "tar")
	bundle := filepath.Join(newDir(t, "bundle"), "b")
	if out, err := exec.Command("umoci", "unpack", "--image", layout(t, all...)+":test", bundle).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v\n%s", err, out)
	}
	ownersAre(t, filepath.Join(bundle, "rootfs"),
		"d/far far:far", "d/pipe far:7", "d/pipe2 far:7", "d/root 0:0", "d/roots 0:0", "d/user 0:0", "e 0:0", "m 0:far", "m/both 250:far", "m/new 0:far", "m/passed 0:far", "p far:7")
	top := newDir(t, "gnu")
	cmd := exec.Command("tar", "-xpf", "-", "--numeric-owner", "-C", top)
	cmd.Stdin = bytes.NewReader(all[1])
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	ownersAre(t, top, "d/pipe far:7", "d/root 0:0", "d/roots 0:0", "d/sub/both 250:far", "d/user 0:0", "d/z far:far", "m 0:far", "m/new 0:far", "p far:7")
}

// ownersAre compares owners, each as "PATH USER:GROUP", far for [far].
func ownersAre(t *testing.T, top string, want ...string) {
	t.Helper()
	fd, err := inode.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	defer inode.CloseFD(fd)
	for _, line := range want {
		path, _, _ := strings.Cut(line, " ")
		st, err := inode.StatAt(fd, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got := strings.ReplaceAll(fmt.Sprintf("%s %d:%d", path, st.Uid, st.Gid), fmt.Sprint(uint32(far)), "far")
		if !slices.Contains(want, got) {
			t.Errorf("%s, want %s", got, line)
		}
	}
}
