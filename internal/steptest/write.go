package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// node is one node of a test's project.
type node struct {
	Name    string     `yaml:"name"`
	Step    string     `yaml:"step,omitempty"`
	With    *yaml.Node `yaml:"with,omitempty"`
	Run     string     `yaml:"run,omitempty"`
	Network string     `yaml:"network,omitempty"`
}

// The names of nodes.
const (
	nodeBefore = "before"
	nodeStep   = "step"
	nodeAgain  = "again"
	nodeAfter  = "after"
)

// config is the configuration of a test's project.
func (t *test) config() ([]byte, error) {
	script := func(name, text string) node {
		return node{Name: name, Run: "set -eu\n" + text, Network: "none"}
	}
	var nodes []node
	if t.before != "" {
		nodes = append(nodes, script(nodeBefore, t.before))
	}
	nodes = append(nodes, node{Name: nodeStep, Step: t.step, With: t.with})
	if t.fails == "" {
		if t.again {
			nodes = append(nodes, node{Name: nodeAgain, Step: t.step, With: t.with})
		}
		nodes = append(nodes, script(nodeAfter, t.after))
	}
	return yaml.Marshal(struct {
		Values  *yaml.Node `yaml:"values,omitempty"`
		Scripts []node     `yaml:"scripts"`
	}{t.values, nodes})
}

// write writes the test's project into a work directory.
func (t *test) write(work string) error {
	data, err := t.config()
	if err != nil {
		return fmt.Errorf("write test %s: %w", t.title(), err)
	}
	dir := filepath.Join(work, filepath.FromSlash(t.tag()))
	for name, text := range t.files {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text)); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, configName), data)
}

const configName = ".xtoo-config.yaml"

// writeRoot writes the project that tests are below of.
func writeRoot(work, root, file string) error {
	data, err := yaml.Marshal(map[string]any{"stage3": map[string]string{"file": file}})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(work, root, configName), data)
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}
