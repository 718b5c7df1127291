package sif

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// dirName is where Singularity and Apptainer look for an image's scripts.
const dirName = ".singularity.d"

// A file is something that this package adds to an image.
type file struct {
	name   string
	mode   int64
	typ    byte
	target string
	data   string
}

func (f file) header(img Image) *tar.Header {
	return &tar.Header{Name: f.name, Typeflag: f.typ, Mode: f.mode, Linkname: f.target, Size: int64(len(f.data)), ModTime: img.Created}
}

func dir(name string, mode int64) file { return file{name: name, mode: mode, typ: tar.TypeDir} }
func symlink(name, target string) file {
	return file{name: name, mode: 0o777, typ: tar.TypeSymlink, target: target}
}
func script(name, text string) file {
	return file{name: name, mode: 0o755, typ: tar.TypeReg, data: text}
}
func document(name, content string) file {
	return file{name: name, mode: 0o644, typ: tar.TypeReg, data: content}
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
		runscript:   withDefault(img.Runscript, runscript(img.Config.Config)),
		startscript: withDefault(img.Startscript, startscript(img.Config.Config)),
		test:        withDefault(img.Test, defaultTest),
		help:        img.Help,
		definition:  string(img.Definition),
	}
	maps.Copy(m.labels, img.Config.Config.Labels)
	maps.Copy(m.labels, img.Labels)
	m.env = append(m.env, script(dirName+"/env/01-base.sh", envBase))
	if len(img.Config.Config.Env) > 0 {
		m.env = append(m.env, script(dirName+"/env/10-docker2singularity.sh", ociEnvironment(img.Config.Config.Env)))
	}
	m.env = append(m.env,
		script(dirName+"/env/90-environment.sh", withDefault(img.Environment, envCustom)),
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

// overlay packs what is laid over the image, as its topmost layer. The image's own .singularity.d, if any, is
// hidden as a whole.
func (m *merger) overlay(img Image) error {
	files, err := overlayFiles(img)
	if err != nil {
		return err
	}
	if err := m.startLayer(); err != nil {
		return err
	}
	for i, f := range files {
		if err := m.member(uint32(i), f.header(img), strings.NewReader(f.data)); err != nil {
			return fmt.Errorf("add %q: %w", f.name, err)
		}
	}
	m.t.setOpaque(m.t.lookup(dirName), m.layer)
	return nil
}

// neededFiles are what Singularity mounts over, parents first.
func neededFiles() []file {
	return []file{
		dir("", 0o755), dir("dev", 0o755), dir("etc", 0o755), dir("home", 0o755), dir("proc", 0o755), dir("root", 0o700),
		dir("sys", 0o755), dir("tmp", 0o1777), dir("var", 0o755), dir("var/tmp", 0o1777),
		document("etc/hosts", ""), document("etc/resolv.conf", ""),
	}
}

// complete adds what Singularity needs and the image lacks. What the image has, be it a symbolic link, stays.
func (m *merger) complete(img Image) error {
	if err := m.startLayer(); err != nil {
		return err
	}
	for _, f := range neededFiles() {
		id, err := m.t.insert(f.name)
		if err != nil {
			return err
		}
		n := m.t.at(id)
		if n.prov != 0 || n.implied != 0 && f.typ != tar.TypeDir || m.belowFile(id) {
			continue
		}
		n.prov = m.layer
		if f.typ == tar.TypeDir {
			n.flags |= provDir
		}
		if id != 0 {
			m.t.imply(m.t.at(id).parent, m.layer)
		}
		if err := m.pack(f.header(img), strings.NewReader(f.data), f.name); err != nil {
			return err
		}
	}
	return m.impliedDirs(img)
}

// impliedDirs packs the directories that are there only because of what is, or was, in them.
func (m *merger) impliedDirs(img Image) error {
	for id := uint32(1); id < m.t.count; id++ {
		n := m.t.at(id)
		if n.prov != 0 || n.implied == 0 {
			continue
		}
		f := dir(m.t.path(id), 0o755)
		if err := m.pack(f.header(img), nil, f.name); err != nil {
			return err
		}
	}
	return nil
}

// belowFile says whether one of the node's parents is visible as something else than a directory.
func (m *merger) belowFile(id uint32) bool {
	for id != 0 {
		id = m.t.at(id).parent
		if n := m.t.at(id); n.prov != 0 && n.flags&provDir == 0 {
			return true
		}
	}
	return false
}
