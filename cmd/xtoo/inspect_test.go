package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/sif"
)

// TestInspectHostile has xtoo inspect look at files that were changed by somebody who means harm.
func TestInspectHostile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sif")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sif.Write(t.Context(), f, sif.Image{Arch: "amd64", Definition: []byte("type: stage4\n")}, sif.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const launchScript, created = 0, 64 // positions in the header
	metadata, super := bytes.Index(good, []byte(`{"data"`)), bytes.Index(good, []byte("hsqs"))
	for _, c := range []struct {
		name   string
		change func(b []byte)
		json   bool
		want   string // of the output, or of the error
		bad    bool
	}{
		{name: "good", change: func([]byte) {}, want: "definition:    13 bytes\n"},
		{name: "escapes in the launch script", change: func(b []byte) { b[launchScript+3] = 0x1b }, want: `"#!/\x1bsr/bin/env run-singularity"`},
		{name: "metadata that is no JSON", change: func(b []byte) { b[metadata] = 'x' }, json: true, bad: true, want: "should be JSON is not"},
		{name: "the year 292277026596", change: func(b []byte) { binary.LittleEndian.PutUint64(b[created:], 1<<62) }, json: true, bad: true, want: "in the year "},
		{name: "no squashfs", change: func(b []byte) { b[super] = 'x' }, bad: true, want: "not a valid squashfs filesystem: no superblock of version 4.0"},
		{name: "a root inode beyond the end", change: func(b []byte) { b[super+32+6] = 1 }, bad: true, want: "not a valid squashfs filesystem: inode reference"},
	} {
		b := bytes.Clone(good)
		c.change(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := runInspect(t.Context(), &globals{out: &out, json: c.json}, inspectOptions{files: true, verify: true}, path)
		switch {
		case c.bad && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "inspect "+path+": ")):
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		case c.bad && out.Len() > 0:
			t.Errorf("%s: output %q beside the error", c.name, out.String())
		case !c.bad && (err != nil || !strings.Contains(out.String(), c.want)):
			t.Errorf("%s: %v, output\n%s\nwant %q in it", c.name, err, out.String(), c.want)
		}
	}
}

// TestInspectPipe: a pipe that nobody writes to is not waited for.
func TestInspectPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runInspect(t.Context(), &globals{}, inspectOptions{}, path); err == nil || !strings.HasSuffix(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// TestInspectJSON: what scripts read is one document with the names that it always has.
func TestInspectJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sif")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sif.Write(t.Context(), f, sif.Image{Arch: "arm64"}, sif.Options{Compression: "xz"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := runInspect(t.Context(), &globals{out: &out, json: true}, inspectOptions{files: true}, path); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Architecture string
		Metadata     struct{ Type string }
		Filesystem   struct{ Compression string }
		Objects      []struct{ Type string }
		Files        []struct{ Path, Mode string }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Architecture != "arm64" || got.Metadata.Type != "container" || got.Filesystem.Compression != "xz" || len(got.Objects) != 4 ||
		len(got.Files) == 0 || got.Files[0].Path != "." || got.Files[0].Mode != "drwxr-xr-x" {
		t.Errorf("%+v", got)
	}
}

func TestModeText(t *testing.T) {
	for mode, want := range map[uint32]string{
		unix.S_IFREG | 0o644: "-rw-r--r--", unix.S_IFDIR | 0o1777: "drwxrwxrwt", unix.S_IFDIR | 0o1776: "drwxrwxrwT",
		unix.S_IFREG | 0o6755: "-rwsr-sr-x", unix.S_IFREG | 0o6644: "-rwSr-Sr--", unix.S_IFLNK | 0o777: "lrwxrwxrwx",
		unix.S_IFCHR | 0o600: "crw-------", unix.S_IFBLK: "b---------", unix.S_IFIFO | 0o7: "p------rwx", unix.S_IFSOCK | 0o70: "s---rwx---",
	} {
		if got := modeText(mode); got != want {
			t.Errorf("%o: %s, want %s", mode, got, want)
		}
	}
}
