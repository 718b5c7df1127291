package main

import (
	"io/fs"
	"path"
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// rootKinds are what tests may start from: the stand-in of a stage3, Debian, and busybox alone.
func rootKinds() []string { return []string{"mini", "debian", "busybox"} }

// test is one test of a step.
type test struct {
	step, name, root     string
	before, after, fails string
	again                bool
	values, with         *yaml.Node // nil: not there
	files                map[string]string
}

func (t *test) title() string { return t.step + "/" + t.name + " (" + t.root + ")" }

// tag is the test's project.
func (t *test) tag() string { return path.Join(t.root, t.step, t.name) }

func testDocument() *schema.Document {
	text := func() *schema.Shape { return &schema.Shape{Text: &schema.Text{Empty: true}, Literal: true} }
	openMap := func() *schema.Shape {
		return &schema.Shape{What: "a mapping", Dict: &schema.Dict{}, Open: true}
	}
	name := &schema.Text{Pattern: regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), Want: "a name: lower case letters, digits, single -"}
	return &schema.Document{Label: "the file of tests", Program: "xtoo", Root: &schema.Shape{What: "a list of tests", List: &schema.List{
		Item: &schema.Shape{What: "a test ({name: …, with: …})", Object: &schema.Object{
			OneOf: [][]string{{"after", "fails"}},
			Fields: []*schema.Field{
				{Key: "name", Required: true, Shape: &schema.Shape{Text: name}},
				{Key: "root", Shape: &schema.Shape{Text: &schema.Text{Enum: rootKinds()}}},
				{Key: "values", Shape: openMap()},
				{Key: "before", Shape: text()},
				{Key: "with", Shape: openMap()},
				{Key: "again", Shape: &schema.Shape{Boolean: true}},
				{Key: "after", Shape: text()},
				{Key: "fails", Shape: text()},
				{Key: "files", Shape: &schema.Shape{Dict: &schema.Dict{Key: regexp.MustCompile(`^[^/]`), KeyWant: "a relative path", Value: text()}}},
			},
		}},
	}}}
}

// readTests reads the tests of the steps that are named, or of all. without are the steps that have none.
func readTests(steps []string) (tests []*test, without []string, err error) {
	var probs schema.Problems
	lib := library.Open()
	var of []*library.Step
	for _, s := range lib.Steps(&probs) {
		if steps == nil || slices.Contains(steps, s.Name) {
			of = append(of, s)
		}
	}
	for _, name := range steps {
		lib.Step(name, schema.Position{}, &probs)
	}
	for _, s := range of {
		some := testsOf(s, &probs)
		if len(some) == 0 {
			without = append(without, s.Name)
		}
		tests = append(tests, some...)
	}
	return tests, without, probs.Err()
}

func testsOf(s *library.Step, probs *schema.Problems) []*test {
	file := path.Join(path.Dir(s.File), "test.yaml")
	data, err := fs.ReadFile(s.Place.FS, path.Join("steps", s.Name, "test.yaml"))
	if err != nil {
		return nil
	}
	v, _ := testDocument().Read(file, data, probs)
	if v == nil {
		return nil
	}
	var out []*test
	for _, item := range v.Items {
		t := &test{
			step: s.Name, name: item.Get("name").String(), root: item.Get("root").String(), again: true,
			before: item.Get("before").String(), after: item.Get("after").String(), fails: item.Get("fails").String(), files: map[string]string{},
		}
		if t.root == "" {
			t.root = rootKinds()[0]
		}
		if again := item.Get("again"); again != nil {
			t.again = again.Yes
		}
		if values := item.Get("values"); values != nil {
			t.values = values.Node
		}
		if with := item.Get("with"); with != nil {
			t.with = with.Node
		}
		if files := item.Get("files"); files != nil {
			for _, e := range files.Keys {
				t.files[e.Key] = e.Val.Text
			}
		}
		if slices.ContainsFunc(out, func(o *test) bool { return o.tag() == t.tag() }) {
			probs.Addf(item.Pos, "there is a test %q already", t.name)
		}
		out = append(out, t)
	}
	return out
}
