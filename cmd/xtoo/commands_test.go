package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// tree-is-empty DIR: there is no file below DIR, or no DIR.
func cmdTreeIsEmpty(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tree-is-empty DIR")
	}
	var found []string
	err := filepath.WalkDir(ts.MkAbs(args[0]), func(p string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && !d.IsDir() {
			found = append(found, p)
		}
		return err
	})
	ts.Check(err)
	if (len(found) > 0) != neg {
		ts.Fatalf("below %s: %s", args[0], strings.Join(found, " "))
	}
}

// stage3 ARCH FILE: the demo's stage3 for an architecture.
func cmdStage3(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: stage3 ARCH FILE")
	}
	path, err := demoStage(args[0])
	ts.Check(err)
	ts.Check(os.Symlink(path, ts.MkAbs(args[1])))
}

// truncate FROM TO SIZE: a copy of FROM cut to SIZE bytes; a negative SIZE counts from the end.
func cmdTruncate(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: truncate FROM TO SIZE")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	var n int
	_, err = fmt.Sscan(args[2], &n)
	ts.Check(err)
	if n < 0 {
		n += len(data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data[:n], 0o644))
}

// flip FROM TO: a copy of FROM with one bit in its middle changed.
func cmdFlip(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: flip FROM TO")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	data[len(data)/2] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// same-digest A B: two files, or two layouts, have the same bytes.
func cmdSameDigest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same-digest A B")
	}
	a, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if (string(a) == string(b)) == neg {
		ts.Fatalf("%s and %s: %d and %d bytes, equal: %v", args[0], args[1], len(a), len(b), neg)
	}
}
