package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A listed package is what `go list -json` says of one.
type listed struct {
	ImportPath string
	Dir        string
	Export     string // file with what it exports, as the compiler reads it
	GoFiles    []string
	Standard   bool
	DepOnly    bool
	Module     *struct{ Main bool }
	Imports    []string
	ForTest    string
}

// A module is the packages to be looked at, with their syntax and types. All of them are checked from source in one
// importer, so that one name is one object wherever it is used.
type module struct {
	root     string
	fset     *token.FileSet
	packages []*pkg
	byPath   map[string]*pkg
	foreign  types.Importer
}

type pkg struct {
	listed
	files []*ast.File
	types *types.Package
	info  *types.Info
}

// load lists the packages and checks those of the module in root.
func load(ctx context.Context, root string, patterns ...string) (*module, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	args := append([]string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,Standard,DepOnly,Module,Imports,ForTest"}, patterns...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	m := &module{root: root, fset: token.NewFileSet(), byPath: map[string]*pkg{}}
	exports := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &pkg{}
		if err := dec.Decode(&p.listed); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[p.ImportPath] = p.Export
		if !p.Standard && p.Module != nil && p.Module.Main {
			m.packages = append(m.packages, p)
			m.byPath[p.ImportPath] = p
		}
	}
	m.foreign = importer.ForCompiler(m.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range m.packages {
		if _, err := m.check(p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Import implements types.Importer.
func (m *module) Import(path string) (*types.Package, error) {
	if p, ok := m.byPath[path]; ok {
		return m.check(p)
	}
	return m.foreign.Import(path)
}

// check parses a package and finds its types, once.
func (m *module) check(p *pkg) (*types.Package, error) {
	if p.types != nil {
		return p.types, nil
	}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(m.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
	}
	p.info = &types.Info{
		Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: m}
	var err error
	p.types, err = conf.Check(p.ImportPath, m.fset, p.files, p.info)
	return p.types, err
}

func (m *module) relative(file string) string {
	if rel, err := filepath.Rel(m.root, file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}

// A name is an exported one.
type name struct {
	pkg   *pkg
	obj   types.Object
	owner *types.TypeName // of a method or field
	tag   string          // of a field
}

func (n name) label() string {
	if n.owner != nil {
		return n.pkg.ImportPath + "." + n.owner.Name() + "." + n.obj.Name()
	}
	return n.pkg.ImportPath + "." + n.obj.Name()
}

// exported lists the exported names of the module, less those of commands and of packages for tests.
func (m *module) exported() []name {
	var out []name
	for _, p := range m.packages {
		if p.types.Name() == "main" || forTests(p) {
			continue
		}
		scope := p.types.Scope()
		for _, id := range scope.Names() {
			obj := scope.Lookup(id)
			if !obj.Exported() {
				continue
			}
			out = append(out, name{pkg: p, obj: obj})
			if t, ok := obj.(*types.TypeName); ok && !t.IsAlias() {
				out = append(out, members(p, t)...)
			}
		}
	}
	return out
}

// forTests says whether a package serves tests alone: it imports the package testing.
func forTests(p *pkg) bool {
	for _, i := range p.Imports {
		if i == "testing" {
			return true
		}
	}
	return false
}

// members are the exported methods and fields of a type.
func members(p *pkg, t *types.TypeName) []name {
	var out []name
	named, ok := t.Type().(*types.Named)
	if !ok {
		return nil
	}
	for method := range named.Methods() {
		if method.Exported() {
			out = append(out, name{pkg: p, obj: method, owner: t})
		}
	}
	if s, ok := named.Underlying().(*types.Struct); ok {
		for i := range s.NumFields() {
			if f := s.Field(i); f.Exported() && !f.Embedded() {
				out = append(out, name{pkg: p, obj: f, owner: t, tag: s.Tag(i)})
			}
		}
	}
	return out
}
