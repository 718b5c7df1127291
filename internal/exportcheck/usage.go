package main

import (
	"go/ast"
	"go/types"
)

// usage is who uses what.
type usage struct {
	objects    map[types.Object]bool // used by another package than their own
	interfaces []*types.Interface    // that may ask for methods: the module's, and those of what it imports
	declared   map[types.Object]bool // stands in the declaration of something that is used elsewhere
}

func newUsage(m *module) *usage {
	u := &usage{objects: map[types.Object]bool{}, declared: map[types.Object]bool{}}
	imported := map[*types.Package]bool{}
	for _, p := range m.packages {
		for _, obj := range p.info.Uses {
			if obj.Pkg() != nil && obj.Pkg() != p.types {
				u.objects[origin(obj)] = true
			}
		}
		for _, i := range p.types.Imports() {
			imported[i] = true
		}
		imported[p.types] = true
		u.anonymous(p)
		u.conversions(p)
	}
	for p := range imported {
		for _, id := range p.Scope().Names() {
			if t, ok := p.Scope().Lookup(id).(*types.TypeName); ok {
				u.addInterface(t.Type())
			}
		}
	}
	if t, ok := types.Universe.Lookup("error").(*types.TypeName); ok {
		u.addInterface(t.Type())
	}
	for obj := range u.objects {
		u.declare(obj.Type(), map[types.Type]bool{})
	}
	return u
}

// anonymous finds the interfaces that are written where they are needed, as errors.As has them for hints.
func (u *usage) anonymous(p *pkg) {
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if e, ok := n.(*ast.InterfaceType); ok {
				u.addInterface(p.info.Types[e].Type)
			}
			return true
		})
	}
}

// conversions finds the structs that become others, fields and all, as one room's become another's.
func (u *usage) conversions(p *pkg) {
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok && len(c.Args) == 1 && p.info.Types[c.Fun].IsType() {
				u.fields(p.types, p.info.Types[c.Fun].Type)
				u.fields(p.types, p.info.Types[c.Args[0]].Type)
			}
			return true
		})
	}
}

// fields marks all fields of a struct of another package as used.
func (u *usage) fields(by *types.Package, t types.Type) {
	if t == nil {
		return
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for f := range s.Fields() {
		if f.Pkg() != by {
			u.objects[origin(f)] = true
		}
	}
}

func (u *usage) addInterface(t types.Type) {
	if t == nil {
		return
	}
	if i, ok := t.Underlying().(*types.Interface); ok && i.NumMethods() > 0 {
		u.interfaces = append(u.interfaces, i)
	}
}

// declare marks the named types that a used name brings with it: a caller holds values of them without naming them.
func (u *usage) declare(t types.Type, seen map[types.Type]bool) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		u.declared[t.Obj()] = true
		for arg := range t.TypeArgs().Types() {
			u.declare(arg, seen)
		}
		if s, ok := t.Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				if f.Exported() {
					u.declare(f.Type(), seen)
				}
			}
		} else {
			u.declare(t.Underlying(), seen)
		}
	case *types.Signature:
		u.declare(t.Params(), seen)
		u.declare(t.Results(), seen)
	case *types.Tuple:
		for v := range t.Variables() {
			u.declare(v.Type(), seen)
		}
	case *types.Interface:
		for method := range t.Methods() {
			u.declare(method.Type(), seen)
		}
	case *types.Map:
		u.declare(t.Key(), seen)
		u.declare(t.Elem(), seen)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		u.declare(t.Elem(), seen)
	}
}

// used says whether a name has a user outside of its package.
func (u *usage) used(n name) bool {
	if u.objects[origin(n.obj)] || u.declared[n.obj] || n.tag != "" {
		return true
	}
	if c, ok := n.obj.(*types.Const); ok {
		return u.enumerated(c)
	}
	method, ok := n.obj.(*types.Func)
	if !ok || n.owner == nil {
		return false
	}
	for _, i := range u.interfaces {
		if obj, _, _ := types.LookupFieldOrMethod(i, false, method.Pkg(), method.Name()); obj == nil {
			continue
		}
		if types.Implements(n.owner.Type(), i) || types.Implements(types.NewPointer(n.owner.Type()), i) {
			return true
		}
	}
	return false
}

// enumerated says whether a constant is one of the values of a type that is used elsewhere: they are learnt together.
func (u *usage) enumerated(c *types.Const) bool {
	t, ok := c.Type().(*types.Named)
	return ok && t.Obj().Pkg() == c.Pkg() && (u.objects[t.Obj()] || u.declared[t.Obj()])
}

// origin is the generic form of an object.
func origin(obj types.Object) types.Object {
	switch o := obj.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return obj
}
