package projects

import (
	"slices"

	"xtoo/projects/schema"
)

// anyType and noType stand in `parents` for what is no name of a type; nativeArch stands in `architectures`.
const (
	anyType    = "any"
	noType     = "none"
	nativeArch = "native"
)

// typeDocument is the file of a type: types/NAME.yaml.
func typeDocument() *schema.Document {
	return &schema.Document{
		Label: "the type", Program: program, Root: typeShape(), ID: "urn:xtoo:project-type",
		Title:       "xtoo type of projects (types/NAME.yaml)",
		Description: "What projects of a type have in common.",
	}
}

// typeShape is what a configuration may hold, less what only a project can say, and what only a type says.
func typeShape() *schema.Shape {
	own := []*schema.Field{
		{Key: "description", Required: true, Shape: anyText("text"), Example: "A Raspberry Pi with our software",
			Doc: "What a project of this type is, in one or two sentences (Markdown)."},
		{Key: "extends", Shape: typeName(), Example: "stage4",
			Doc: "Another type, to which this one adds: its values, scripts and checks come first, and this one's scripts where it has `own`."},
		{Key: "root", Shape: boolean(), DefText: "`false` if `parents` stands there, else `true`", Doc: "A project without a parent may be of this type."},
		{Key: "parents", Shape: listOf(typeName(), "a list of types"), Example: "[target, host]", DefText: "`[any, none]`",
			Doc: "The types that the parent of such a project may have: a type's name means also those that extend it, `any` every type, `none` a project without a type."},
		{Key: "architectures", Shape: &schema.Shape{What: "a list of architectures, as arm-64bit/raspi*", List: &schema.List{NonEmpty: true, Item: anyText("the name of an architecture")}},
			Example: "[arm-32bit/raspi*, arm-64bit]", DefText: "all",
			Doc: "The architectures that such a project may be for, by [any of their names](configuration.md#architectures), with `*` in a subarch where needed; `native` is that of the machine that builds."},
	}
	taken := map[string]bool{"type": true, "stage3": true, "from": true}
	for _, f := range configShape().Object.Fields {
		if taken[f.Key] {
			continue
		}
		if f.Key == "exclude" {
			f = &schema.Field{Key: f.Key, Shape: f.Shape, Example: f.Example,
				Doc: "What never enters the base layer of such a project that has a `stage3`, as in a configuration, beside what that excludes itself. A pattern may match nothing."}
		}
		if f.Key == "checks" {
			f = &schema.Field{Key: f.Key, Shape: listOf(typeCheckShape(whenField()), "a list of checks"),
				Doc: "What must hold for the finished images of such projects, as in a configuration; the project's own checks come after these."}
		}
		if f.Key == "scripts" {
			f = &schema.Field{Key: f.Key, Shape: listOf(typeScriptShape(), "a list of scripts"),
				Doc: "The nodes, as in a configuration. In one place, `{own: true}` stands for the project's own nodes; without it they come last."}
		}
		own = append(own, f)
	}
	return &schema.Shape{What: "a mapping (key: value)", Object: &schema.Object{Fields: own}}
}

func typeName() *schema.Shape {
	return text(schema.Text{Pattern: typePattern(), Want: "a type's name: a lower case letter, then lower case letters, digits, _ and -, at most 64"})
}

// typeScriptShape is a node of a configuration, or the place of the project's own.
func typeScriptShape() *schema.Shape {
	node := scriptShape()
	object := *node.Object
	object.OneOf = slices.Clone(object.OneOf)
	object.OneOf[0] = append(slices.Clone(object.OneOf[0]), "own")
	object.Fields = []*schema.Field{{Key: "own", Shape: boolean(), Default: false, Doc: "Here come the nodes of the project itself, or of a type that extends this one. Nothing else stands beside it."}}
	object.Fields = append(object.Fields, whenField())
	for _, f := range node.Object.Fields {
		if f.Key == "name" {
			optional := *f
			optional.Required = false // of the project's own place; the rest is looked at when it is read
			f = &optional
		}
		object.Fields = append(object.Fields, f)
	}
	return &schema.Shape{Name: "typescript", What: node.What, Object: &object}
}

// whenField makes a part of a type depend on a value.
func whenField() *schema.Field {
	return &schema.Field{Key: "when", Shape: text(schema.Text{Pattern: valuePattern(), Want: "a value's name"}), Example: "packages",
		Doc: "The name of a value: without it (empty, an empty list, `false`) there is no such node, nor those below it.", DefText: "always"}
}
