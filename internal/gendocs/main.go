// Command gendocs writes the parts of docs/ that are made from the source.
//
//	go run ./internal/gendocs -o docs
//
// What it writes is committed; `make lint` makes it again and compares.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"xtoo/projects"
	"xtoo/qemu"
)

//go:embed configuration.md.tmpl
var configurationTemplate string

//go:embed steps.md.tmpl
var stepsTemplate string

func main() {
	out := flag.String("o", "docs", "directory to write to; made if it is not there")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of documents: %w", err)
	}
	for _, doc := range []struct {
		name string
		make func() ([]byte, error)
	}{{"configuration.md", configuration}, {"steps.md", steps}} {
		text, err := doc.make()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, doc.name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the reference %s: %w", doc.name, err)
		}
	}
	return nil
}

// section is the keys of one mapping.
type section struct {
	Title string
	Keys  []key
}

// key is one key of a mapping.
type key struct {
	Path, Type             string
	Required, Template     bool
	Default, Example, Text string
}

func configuration() ([]byte, error) {
	tmpl, err := template.New("configuration.md").Funcs(template.FuncMap{
		"heading": func(path string) string { return "`" + path + "`" },
		"code":    code,
		"table":   table,
	}).Parse(configurationTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{
		"Sections": sections(projects.Keys()),
		"Reserved": projects.ReservedValues(),
		"Archs":    qemu.All(),
		"Funcs":    projects.TemplateFuncs(),
		"Limit":    projects.MaxConfigSize >> 20,
	})
	return b.Bytes(), err
}

// sections groups the keys by the mapping they stand in.
func sections(keys []projects.KeyDoc) []section {
	var out []section
	at := map[string]int{}
	for _, k := range keys {
		parent := ""
		if i := strings.LastIndexByte(k.Path, '.'); i >= 0 {
			parent = k.Path[:i]
		}
		if _, ok := at[parent]; !ok {
			at[parent] = len(out)
			out = append(out, section{Title: parent})
		}
		out[at[parent]].Keys = append(out[at[parent]].Keys, key{
			Path: k.Path, Type: k.Type, Required: k.Required, Template: k.Template, Default: k.Default, Example: k.Example, Text: k.Doc,
		})
	}
	return out
}

// code is inline code, in which Markdown has no escapes.
func code(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}

// table is the architectures as a Markdown table.
func table(archs []qemu.Arch) string {
	var b strings.Builder
	b.WriteString("| arch | subarch | OCI platform | CHOST | uname -m | SIF |\n|---|---|---|---|---|---|\n")
	for _, a := range archs {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", a.Name, a.Subarch, a.PlatformString(), a.CHOST, a.Uname, a.SIF)
	}
	return b.String()
}
