package library

import (
	"regexp"
	"sync"

	"xtoo/projects/schema"
)

// stepFile is the name of the file that makes a directory a step.
const stepFile = "step.yaml"

// pattern compiles a regular expression when it is first asked for.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

var (
	nameRule  = pattern(`^[a-z][a-z0-9_-]{0,63}$`)
	paramRule = pattern(`^[a-z][a-z0-9_]{0,63}$`)
	fileRule  = pattern(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	// keyRule is for the keys of maps: lines "key=value" must say where the key ends.
	keyRule = pattern(`^[^=[:cntrl:]]+$`)
)

const (
	nameWant  = "a name: a lower case letter, then lower case letters, digits and -, at most 64"
	paramWant = "a parameter's name: a lower case letter, then lower case letters, digits and _, at most 64"
)

// The types of parameters.
const (
	typeString  = "string"  // one line
	typeInt     = "int"     // a whole number
	typeBool    = "bool"    // true or false
	typeList    = "list"    // of lines
	typeRecords = "records" // a list of mappings with the fields of the parameter
	typeMap     = "map"     // free keys, each with a line
	typeText    = "text"    // any number of lines
	TypePath    = "path"    // a file or directory beside the configuration
	TypeSecret  = "secret"  // the name of a secret value
)

// Groups are those that steps are listed in.
func Groups() []string { return []string{"packages", "system", "files", "container"} }

func textShape(what string) *schema.Shape { return &schema.Shape{What: what, Text: &schema.Text{}} }

func literal(what string) *schema.Shape {
	return &schema.Shape{What: what, Text: &schema.Text{Empty: true}, Literal: true}
}

func matching(rule *regexp.Regexp, want string) *schema.Shape {
	return &schema.Shape{What: want, Text: &schema.Text{Pattern: rule, Want: want}}
}

func listOf(item *schema.Shape, what string) *schema.Shape {
	return &schema.Shape{What: what, List: &schema.List{Item: item}}
}

// open is any value: what it must be depends on the parameter's type.
func open(what string) *schema.Shape {
	s := literal(what)
	s.List, s.Dict, s.Open = &schema.List{}, &schema.Dict{}, true
	return s
}

// ruleFields are what parameters and fields of records have in common.
func ruleFields() []*schema.Field {
	return []*schema.Field{
		{Key: "doc", Shape: textShape("text"), Doc: "What it means, in a sentence; Markdown."},
		{Key: "required", Shape: &schema.Shape{Boolean: true}, Default: false, Doc: "It must be given."},
		{Key: "choices", Shape: &schema.Shape{What: "a list of texts", List: &schema.List{NonEmpty: true, Item: literal("text")}}, Doc: "The only texts allowed."},
		{Key: "pattern", Shape: textShape("a regular expression"), Doc: "What each text must match."},
	}
}

func stepDocument() *schema.Document {
	script := func() *schema.Shape { return matching(fileRule(), "the name of a file beside step.yaml") }
	ofRecords := &schema.Shape{What: "a field ({required: …, default: …})", Object: &schema.Object{
		Fields: append(ruleFields(), &schema.Field{Key: "default", Shape: literal("text"), Doc: "The text where none is given."}),
	}}
	parameter := &schema.Shape{What: "a parameter ({type: …, doc: …})", Object: &schema.Object{
		Fields: append(ruleFields(),
			&schema.Field{Key: "type", Required: true, Doc: "What it holds.", Shape: &schema.Shape{Text: &schema.Text{Enum: []string{
				typeString, typeInt, typeBool, typeList, typeRecords, typeMap, typeText, TypePath, TypeSecret}}}},
			&schema.Field{Key: "default", Shape: open("what the parameter may hold"), Doc: "What it is where it is not given."},
			&schema.Field{Key: "example", Shape: open("what the parameter may hold"), Doc: "For the documentation."},
			&schema.Field{Key: "fields", Doc: "Of records: the fields, in order.", Shape: &schema.Shape{What: "a mapping of fields (name: {…})",
				Dict: &schema.Dict{Key: paramRule(), KeyWant: "a field's name: a lower case letter, then lower case letters, digits and _", Value: ofRecords}}},
		),
	}}
	return &schema.Document{Label: "the step", Program: program, Root: &schema.Shape{What: "a mapping (key: value)", Object: &schema.Object{Fields: []*schema.Field{
		{Key: "description", Required: true, Shape: textShape("text"), Doc: "What the step does; Markdown."},
		{Key: "group", Shape: &schema.Shape{Text: &schema.Text{Enum: Groups()}}, DefText: "among others", Doc: "Where it is listed."},
		{Key: "aliases", Shape: listOf(matching(nameRule(), nameWant), "a list of names"), Doc: "Other names of the step."},
		{Key: "parameters", Doc: "Its parameters, in the order in which they are documented.", Shape: &schema.Shape{What: "a mapping of parameters (name: {…})",
			Dict: &schema.Dict{Key: paramRule(), KeyWant: paramWant, Value: parameter}}},
		{Key: "sh", Shape: listOf(matching(nameRule(), "the name of shell functions that ship"), "a list of names"), Doc: "Shell functions that go before the script."},
		{Key: "network", Shape: &schema.Shape{Text: &schema.Text{Enum: []string{"none", "host"}}}, Doc: "Whether it needs the network."},
		{Key: "clear_fresh", Shape: &schema.Shape{Boolean: true}, Default: false, Doc: "What the root has in /run and /tmp, which scripts see empty, is removed."},
		{Key: "check", Doc: "The check that comes with the step.", Shape: &schema.Shape{Object: &schema.Object{Fields: []*schema.Field{
			{Key: "name", Required: true, Shape: matching(nameRule(), nameWant), Doc: "Its name."},
			{Key: "script", Shape: script(), DefText: "`check.sh`", Doc: "Its script."},
			{Key: "doc", Required: true, Shape: textShape("text"), Doc: "What it verifies, and of what; Markdown."},
		}}}},
	}}}}
}
