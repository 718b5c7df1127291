package schema

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

// garden is a document of nothing that this program is about.
func garden() *Document {
	bed := &Shape{Name: "bed", What: "a bed ({plant: …})"}
	bed.Object = &Object{
		OneOf: [][]string{{"seeds", "bulbs"}}, NotBoth: [][]string{{"sun", "shade"}},
		Later: map[string]string{"robot": "water it yourself"},
		Fields: []*Field{
			{Key: "plant", Required: true, Shape: &Shape{Text: &Text{Enum: []string{"rose", "tulip", "leek"}}}, Doc: "What grows.", Example: "rose"},
			{Key: "seeds", Shape: &Shape{Integer: true}, Doc: "How many."},
			{Key: "bulbs", Shape: &Shape{Integer: true}, Doc: "How many.", DefText: "as many as fit"},
			{Key: "sun", Shape: &Shape{Boolean: true}, Doc: "Bright.", Default: false},
			{Key: "shade", Shape: &Shape{Boolean: true}, Doc: "Dark."},
			{Key: "beds", Shape: &Shape{List: &List{Item: bed}}, Doc: "Smaller ones."},
		},
	}
	return &Document{
		Label: "the garden", Program: "spade", ID: "urn:garden", Title: "Garden", Description: "A garden.",
		Root: &Shape{Object: &Object{Fields: []*Field{
			{Key: "beds", Shape: &Shape{What: "a list of beds", List: &List{Item: bed, NonEmpty: true}}, Doc: "The beds."},
			{Key: "notes", Doc: "By name.", Shape: &Shape{Dict: &Dict{Key: regexp.MustCompile(`^[a-z]+$`), KeyWant: "a word",
				Value: &Shape{Text: &Text{Empty: true}, Literal: true, Integer: true, Null: true}}}},
			{Key: "owner", Doc: "Whose it is.", Shape: &Shape{Text: &Text{Pattern: regexp.MustCompile(`^[A-Z]`), Want: "a name"}}},
		}}},
	}
}

func TestRead(t *testing.T) {
	var probs Problems
	v, ok := garden().Read("g.yaml", []byte("beds:\n- &a {plant: rose, seeds: 0x10, sun: TRUE, beds: [{plant: leek, bulbs: 1}]}\n- *a\nnotes: {a: 022, b: 3.10, c: , d: yes, e: 2}\n"), &probs)
	if !ok || probs.Err() != nil {
		t.Fatal(probs.Err())
	}
	beds := v.Get("beds")
	first := beds.Items[0]
	if first.Get("seeds").Text != "16" || !first.Get("sun").Yes || first.Get("sun").Kind != KindBool || beds.Items[1].Pos != first.Pos {
		t.Errorf("%+v", first)
	}
	if got := first.Get("beds").Items[0].Get("plant"); got.String() != "leek" || got.Pos != (Position{"g.yaml", 2, 59}) {
		t.Errorf("%v at %v", got, got.Pos)
	}
	var notes []string
	for _, e := range v.Get("notes").Keys {
		notes = append(notes, e.Key+"="+e.Val.String())
	}
	if got := strings.Join(notes, " "); got != "a=18 b=3.10 c= d=yes e=2" {
		t.Errorf("notes %s", got)
	}
	if v.Get("owner") != nil || v.Get("owner").Get("x") != nil || v.Get("owner").String() != "" {
		t.Error("what is not there is nil, and can be asked")
	}
	if _, ok := v.Get("owner").Has("x"); ok {
		t.Error("nil has a key")
	}
	for _, empty := range []string{"", "# nothing\n", "~", "---\n...\n"} {
		if v, ok := garden().Read("g.yaml", []byte(empty), &probs); v != nil || !ok || probs.Len() > 0 {
			t.Errorf("%q: %v, %v, %v", empty, v, ok, probs.Err())
		}
	}
}

func TestWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"beds: [{plant: rosa, seeds: 1}]", `g.yaml:1:16: "plant" must be "rose", "tulip" or "leek", found "rosa": did you mean "rose"?`},
		{"beds: []", `g.yaml:1:7: "beds" is an empty list`},
		{"beds: 3", `g.yaml:1:7: "beds" must be a list of beds, found the number 3`},
		{"bed: []", `g.yaml:1:1: unknown key "bed": did you mean "beds"?`},
		{"zzzzzz: 1", `g.yaml:1:1: unknown key "zzzzzz" (known here: beds, notes, owner)`},
		{"beds: [x]", `g.yaml:1:8: item 1 of "beds" must be a bed ({plant: …}), found the text "x"`},
		{"beds: [{plant: rose}]", `g.yaml:1:8: item 1 of "beds" needs "seeds" or "bulbs"`},
		{"beds: [{plant: rose, seeds: 1, bulbs: 2}]", `g.yaml:1:32: item 1 of "beds" has both "seeds" and "bulbs": exactly one of them`},
		{"beds: [{plant: rose, seeds: 1, shade: true, sun: x}]", "g.yaml:1:32: item 1 of \"beds\" has both \"sun\" and \"shade\": at most one of them\ng.yaml:1:50: \"sun\" must be true or false, found the text \"x\""},
		{"beds: [{seeds: 1}]", `g.yaml:1:8: item 1 of "beds" has no "plant"`},
		{"beds: [{robot: 1}]", `g.yaml:1:9: key "robot" is not part of this version of spade (water it yourself)`},
		{"owner: bob", `g.yaml:1:8: "owner": "bob" is not a name`},
		{"owner: !x Bob", `"owner" has a YAML tag (!x)`},
		{"owner: ", `"owner" is empty: it must be text`},
		{"owner: Bob\nowner: Ann", `g.yaml:2:1: key "owner" stands twice: first in line 1`},
		{"notes: {B: 1}", `g.yaml:1:9: "B" is not a word`},
		{"notes: {? [a] : 1}", `a key of "notes" must be plain text`},
		{"<<: {owner: Bob}", "merge keys"},
		{"owner: Bob\n---\nowner: Ann\n", "a second YAML document"},
		{"owner: Bob\n\tx: 1", "indent with spaces"},
		{"owner: \xff", "g.yaml:1:8: not UTF-8: byte 0xff"},
		{"owner: \x01", "g.yaml:1:8: control character U+0001"},
		{"owner: \"\\0\"", `"owner" holds a NUL character`},
		{"- a", "the garden must be a mapping (key: value), found a list"},
		{strings.Repeat("#", MaxSize+1), "more than the 1048576 that"},
		{"beds: &a [{plant: rose, seeds: 1, beds: *a}]", "nested too deep"},
	} {
		var probs Problems
		_, ok := garden().Read("g.yaml", []byte(c.text), &probs)
		if err := probs.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v\nwant %s", c.text, err, c.want)
		}
		if ok && strings.HasPrefix(c.want, "the garden must") {
			t.Errorf("%.60q: nothing of it is usable, and yet it is right", c.text)
		}
	}
}

// TestManyKeys: that keys stand twice is found among many, too, and fast.
func TestManyKeys(t *testing.T) {
	var b strings.Builder
	word := func(i int) string {
		return strings.Map(func(r rune) rune { return r - '0' + 'a' }, time.Unix(int64(i), 0).UTC().Format("150405"))
	}
	for i := range 20_000 {
		b.WriteString("  " + word(i) + ": 1\n")
	}
	var probs Problems
	start := time.Now()
	v, ok := garden().Read("g.yaml", []byte("notes:\n"+b.String()+"  "+word(0)+": 2\n  "+word(15_000)+": 2\n"), &probs)
	if err := probs.Err(); !ok || err == nil || strings.Count(err.Error(), "stands twice") != 2 || !strings.Contains(err.Error(), "g.yaml:20002:3: key \"aaaaaa\" stands twice: first in line 2") {
		t.Error(err)
	}
	if n := len(v.Get("notes").Keys); n != 20_000 {
		t.Errorf("%d keys", n)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestWrongIsThere: a key with a wrong value is not missing as well.
func TestWrongIsThere(t *testing.T) {
	var probs Problems
	v, _ := garden().Read("g.yaml", []byte("owner: bob\nnope: 1\n"), &probs)
	for key, want := range map[string]Position{"owner": {"g.yaml", 1, 1}, "nope": {"g.yaml", 2, 1}} {
		if pos, ok := v.Has(key); !ok || pos != want || v.Get(key) != nil {
			t.Errorf("%s: %v, %v", key, pos, ok)
		}
	}
	if _, ok := v.Has("beds"); ok {
		t.Error("a key that does not stand there is there")
	}
}

func TestProblems(t *testing.T) {
	var probs Problems
	if probs.Err() != nil || probs.Len() != 0 {
		t.Error("no problem is one")
	}
	probs.Addf(Position{"b", 1, 1}, "later")
	probs.Hintf(Position{"a", 2, 9}, "do this", "first %d", 1)
	probs.Addf(Position{"a", 10, 1}, "second")
	probs.Addf(Position{"a", 10, 1}, "second")
	probs.Add(Problem{Msg: "nowhere", Err: io.EOF})
	err := probs.Err()
	if got := err.Error(); got != "nowhere\na:2:9: first 1 (do this)\na:10:1: second\nb:1:1: later" || !errors.Is(err, io.EOF) {
		t.Errorf("%s", got)
	}
	for range 2 * maxProblems {
		probs.Addf(Position{File: "c", Line: probs.Len()}, "more")
	}
	if list := probs.Sorted(); len(list) > maxProblems || !strings.HasSuffix(probs.Err().Error(), "more than 200 problems: the rest is not shown") {
		t.Errorf("%d problems", len(list))
	}
	if got := (Position{File: "a"}).String(); got != "a" {
		t.Error(got)
	}
}

func TestJSONAndKeys(t *testing.T) {
	text, err := garden().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID    string `json:"$id"`
		Type  []string
		Props map[string]any `json:"properties"`
		Defs  map[string]struct {
			Required []string
			AllOf    []any
			Props    map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	bed := got.Defs["bed"]
	if got.ID != "urn:garden" || len(got.Type) != 2 || len(got.Props) != 3 || len(bed.Required) != 1 || len(bed.AllOf) != 2 ||
		bed.Props["bulbs"]["description"] != "How many. Default: as many as fit." || bed.Props["sun"]["default"] != false {
		t.Errorf("%s", text)
	}
	var paths []string
	for _, k := range garden().Keys() {
		paths = append(paths, k.Path)
	}
	if got := strings.Join(paths, " "); got != "beds beds[].plant beds[].seeds beds[].bulbs beds[].sun beds[].shade beds[].beds notes owner" {
		t.Errorf("keys %s", got)
	}
}
