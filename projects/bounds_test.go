package projects

import (
	"errors"
	"strings"
	"testing"
)

// loadOne loads a tree of one project, and of one below it if there is a text for it.
func loadOne(t *testing.T, config, below string) (*Tree, error) {
	t.Helper()
	files := map[string]string{"a/" + configName: config}
	if below != "" {
		files["a/b/"+configName] = below
	}
	return loadDir(workdir(t, files))
}

const boundedConfig = `
from: {image: scratch, arch: amd64}
values:
  host: {pattern: "[a-z]+|[0-9]+", min: 2, max: 4, help: "Short.\nLower case.\n"}
  jobs: {type: int, min: 1, max: 8}
  list: {many: true, pattern: "[a-z]+", min: 1, max: 2}
  pw: {secret: true, pattern: "[^ ]*", min: 8}
`

func TestBounds(t *testing.T) {
	tree, err := loadOne(t, boundedConfig, "values: {jobs: {default: 4, max: 5}, host: {max: 3}}")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"jobs=1", "list=a", "a:pw=12345678"}
	for set, want := range map[string]string{
		"host=ab":          "",
		"host=abc":         "",
		"host=a":           `value "host": it must have at least 2 characters, found 1`,
		"a:host=abcde":     `value "host": it must have at most 4 characters, found 5`,
		"host=ab1":         `value "host": "ab1" does not match the pattern [a-z]+|[0-9]+`,
		"host=ab\n":        `does not match the pattern`,
		"jobs=0":           `value "jobs": it must be at least 1, found 0`,
		"a:jobs=9":         `value "jobs": it must be at most 8, found 9`,
		"a/b:jobs=6":       `value "jobs": it must be at most 5, found 6`,
		"a/b:host=abcd":    `value "host": it must have at most 3 characters, found 4`,
		"a:host=abcd":      `value "host", inherited from "a": it must have at most 3 characters, found 4`,
		"list=":            `value "list": it must have at least 1 item, found 0`,
		"list=a,b,c":       `value "list": it must have at most 2 items, found 3`,
		"list=a,B":         `value "list": "B" does not match the pattern [a-z]+`,
		"a:pw=geheim":      `value "pw": it must have at least 8 characters`,
		"a:pw=geheim sehr": `value "pw": it does not match the pattern [^ ]*`,
	} {
		given := append(append([]string{}, all...), "a:host=abc")
		_, err := tree.Resolve(tree.projects, Given{Set: append(given, set)})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: have %v, want %s", set, err, want)
		case err != nil && strings.Contains(err.Error(), "geheim"):
			t.Errorf("%s: a secret is in %v", set, err)
		}
	}
	_, err = tree.Resolve(tree.projects, Given{})
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	var wants []string
	for _, q := range missing.Questions() {
		wants = append(wants, q.Name+": "+q.Want)
	}
	if have := strings.Join(wants, "; "); have != "host: 2 to 4 characters; jobs: a whole number, 1 to 8; list: 1 to 2 items; pw: at least 8 characters" {
		t.Error(have)
	}
	if q := missing.Questions()[0]; q.Help != "Short.\nLower case." {
		t.Errorf("help %q", q.Help)
	}
}

func TestWrongBounds(t *testing.T) {
	const head = "from: scratch\nvalues:\n  "
	for value, want := range map[string]string{
		"x: {pattern: 'a(b'}":                  ":3:16: pattern \"a(b\" is no regular expression: missing closing )",
		"x: {pattern: 'a)|(b'}":                ":3:16: pattern \"a)|(b\" is no regular expression: unexpected )",
		"x: {type: int, min: 3, max: 2}":       ":3:23: value \"x\": min 3 is more than max 2",
		"x: {min: -1}":                         ":3:12: value \"x\": \"min\" is a number of characters here, and cannot be -1",
		"x: {many: true, max: -2}":             "is a number of items here, and cannot be -2",
		"x: {type: bool, pattern: 'true'}":     "value \"x\" is true or false, and can have no \"pattern\"",
		"x: {default: true, min: 1}":           "value \"x\" is true or false, and can have no \"min\"",
		"x: {min: many}":                       "\"min\": \"many\" is not a whole number",
		"x: {default: abc, max: 2}":            ":3:16: default of value \"x\": it must have at most 2 characters, found 3",
		"x: {default: 10, max: 9}":             "default of value \"x\": it must be at most 9, found 10",
		"x: {default: [a, b, c], max: 2}":      "it must have at most 2 items, found 3",
		"x: {default: Abc, pattern: '[a-z]*'}": ":3:16: default of value \"x\": \"Abc\" does not match the pattern [a-z]*",
		"x: {arch: {arm64: 3}, min: 4}":        "default of value \"x\" for arm-64bit: it must be at least 4, found 3",
	} {
		if _, err := loadOne(t, head+value+"\n", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have %v, want %s", value, err, want)
		}
	}
	// What was said above is completed: the place is that of what was added.
	if _, err := loadOne(t, head+"x: {default: aaaaa, min: 5}", "values: {x: {max: 4}}"); err == nil || !strings.Contains(err.Error(), "b/"+configName+":1:19: value \"x\": min 5 is more than max 4") {
		t.Error(err)
	}
	// Numbers of a value of another type are other numbers.
	if _, err := loadOne(t, head+"x: {default: 5, min: 5}", "values: {x: {default: abc}}"); err != nil {
		t.Error(err)
	}
	if _, err := loadOne(t, head+"x: {secret: true}", "values: {x: {secret: false}}"); err == nil || !strings.Contains(err.Error(), "is secret in a project above, and stays so") {
		t.Error(err)
	}
}
