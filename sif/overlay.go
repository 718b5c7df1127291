package sif

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/merge"
)

// dirName is where Singularity and Apptainer look for an image's scripts.
const dirName = ".singularity.d"

// A file is something that this package adds to an image.
type file struct {
	name   string
	mode   uint32 // with the type
	target string
	data   string
}

func (f file) member(img Image) *layers.Member {
	return &layers.Member{Path: f.name, Mode: f.mode, Target: f.target, Size: int64(len(f.data)), ModTime: img.Created}
}

func dir(name string, mode uint32) file { return file{name: name, mode: unix.S_IFDIR | mode} }
func symlink(name, target string) file {
	return file{name: name, mode: unix.S_IFLNK | 0o777, target: target}
}
func script(name, text string) file {
	return file{name: name, mode: unix.S_IFREG | 0o755, data: text}
}
func document(name, content string) file {
	return file{name: name, mode: unix.S_IFREG | 0o644, data: content}
}

// metadata is what both .singularity.d and inspect-metadata.json tell of an image.
type metadata struct {
	labels                       map[string]string
	env                          []file // scripts below .singularity.d/env, in the order of their names
	runscript, startscript, test string
	help, definition             string
}

func newMetadata(img Image) metadata {
	m := metadata{
		labels:      map[string]string{},
		runscript:   withDefault(img.runscript, runscript(img.Config.Config)),
		startscript: withDefault(img.startscript, startscript(img.Config.Config)),
		test:        withDefault(img.test, defaultTest),
		help:        img.help,
		definition:  string(img.Definition),
	}
	maps.Copy(m.labels, img.Config.Config.Labels)
	maps.Copy(m.labels, img.labels)
	m.env = append(m.env, script(dirName+"/env/01-base.sh", envBase))
	if len(img.Config.Config.Env) > 0 {
		m.env = append(m.env, script(dirName+"/env/10-docker2singularity.sh", ociEnvironment(img.Config.Config.Env)))
	}
	m.env = append(m.env,
		script(dirName+"/env/90-environment.sh", withDefault(img.environment, envCustom)),
		script(dirName+"/env/95-apps.sh", envApps),
		script(dirName+"/env/99-base.sh", envLast))
	return m
}

// withDefault returns text as a script: with a #! line and a newline at its end, or def when there is none.
func withDefault(text, def string) string {
	if text == "" {
		return def
	}
	if !strings.HasPrefix(text, "#!") {
		text = "#!/bin/sh\n" + text
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// overlayFiles returns what is laid over every image, parents first.
func overlayFiles(img Image) ([]file, error) {
	m := newMetadata(img)
	labels, err := json.MarshalIndent(m.labels, "", "\t") // a map's keys come sorted
	if err != nil {
		return nil, fmt.Errorf("encode labels: %w", err)
	}
	files := []file{
		dir(dirName, 0o755),
		dir(dirName+"/actions", 0o755),
		script(dirName+"/actions/exec", actionExec),
		script(dirName+"/actions/run", actionRun),
		script(dirName+"/actions/shell", actionShell),
		script(dirName+"/actions/start", actionStart),
		script(dirName+"/actions/test", actionTest),
		dir(dirName+"/env", 0o755),
	}
	files = append(files, m.env...)
	files = append(files,
		dir(dirName+"/libs", 0o755),
		document(dirName+"/Singularity", m.definition),
		document(dirName+"/labels.json", string(labels)+"\n"),
		script(dirName+"/runscript", m.runscript))
	if m.help != "" {
		files = append(files, document(dirName+"/runscript.help", m.help))
	}
	return append(files,
		script(dirName+"/startscript", m.startscript),
		script(dirName+"/test", m.test),
		symlink(".exec", dirName+"/actions/exec"),
		symlink(".run", dirName+"/actions/run"),
		symlink(".shell", dirName+"/actions/shell"),
		symlink(".test", dirName+"/actions/test"),
		symlink("environment", dirName+"/env/90-environment.sh"),
		symlink("singularity", dirName+"/runscript"),
	), nil
}

// overlay is the layer that is laid over the image. The image's own .singularity.d, if any, is hidden as a whole.
func overlay(img Image) (merge.Layer, error) {
	files, err := overlayFiles(img)
	if err != nil {
		return merge.Layer{}, err
	}
	var stream bytes.Buffer
	w := layers.NewWriter(&stream)
	for _, f := range files {
		if err := w.WriteMember(f.member(img)); err != nil {
			return merge.Layer{}, err
		}
		if f.data != "" {
			if _, err := io.WriteString(w, f.data); err != nil {
				return merge.Layer{}, err
			}
		}
	}
	if err := w.WriteMember(&layers.Member{Kind: layers.Opaque, Path: dirName}); err != nil {
		return merge.Layer{}, err
	}
	if err := w.Close(); err != nil {
		return merge.Layer{}, err
	}
	return merge.Layer{
		Name: "what Singularity finds",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream.Bytes())), nil },
	}, nil
}

// coveredBy lists what the image has where a file of this package, or its directory, now is.
func coveredBy(img Image, v *merge.View) ([]string, error) {
	files, err := overlayFiles(img)
	if err != nil {
		return nil, err
	}
	var covered []string
	for _, f := range files {
		if (f.name == dirName || !strings.HasPrefix(f.name, dirName+"/")) && v.Covered(f.name) {
			covered = append(covered, f.name)
		}
	}
	return covered, nil
}

// neededFiles are what Singularity mounts over, parents first.
func neededFiles() []file {
	return []file{
		dir("", 0o755), dir("dev", 0o755), dir("etc", 0o755), dir("home", 0o755), dir("proc", 0o755), dir("root", 0o700),
		dir("sys", 0o755), dir("tmp", 0o1777), dir("var", 0o755), dir("var/tmp", 0o1777),
		document("etc/hosts", ""), document("etc/resolv.conf", ""),
	}
}

// complete adds what Singularity needs and the image lacks, and the directories that are there only because of what is,
// or was, in them. What the image has, be it a symbolic link, stays. It returns how many names it added.
func complete(img Image, s *sink, v *merge.View) (added int64, err error) {
	add := func(f file) error {
		added++
		return s.Add(f.member(img), strings.NewReader(f.data))
	}
	var dirs []string
	for _, f := range neededFiles() {
		isDir := f.mode&unix.S_IFMT == unix.S_IFDIR
		if found := v.Lookup(f.name); found != merge.Absent && (found != merge.Implied || !isDir) {
			continue
		}
		if isDir {
			dirs = append(dirs, f.name)
		}
		if err := add(f); err != nil {
			return added, err
		}
	}
	n, err := describe(img, s, v, dirs)
	return added + n, err
}

// describe adds the directories that no layer describes, but for those that are there by now. It returns how many.
func describe(img Image, s *sink, v *merge.View, there []string) (added int64, err error) {
	for name := range v.Implied() {
		if slices.Contains(there, name) {
			continue
		}
		if err := s.Add(dir(name, 0o755).member(img), nil); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}
