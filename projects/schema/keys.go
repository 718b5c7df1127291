package schema

import "strings"

// KeyDoc describes one key, for a reference.
type KeyDoc struct {
	Path     string // "scripts[].name"
	Type     string // in words: "a list of scripts"
	Required bool
	Default  string // Markdown; "" where there is none
	Example  string // YAML, one line; ""
	Doc      string // Markdown
}

// Keys returns every key of the document in the order of the table: a key before those in it. What a shape with a name
// holds is listed where it stands first.
func (d *Document) Keys() []KeyDoc {
	var out []KeyDoc
	seen := map[string]bool{}
	var walk func(prefix string, s *Shape)
	walk = func(prefix string, s *Shape) {
		if s.Open {
			return
		}
		if s.Name != "" {
			if seen[s.Name] {
				return
			}
			seen[s.Name] = true
		}
		if s.Object != nil {
			for _, f := range s.Object.Fields {
				at := strings.TrimPrefix(prefix+"."+f.Key, ".")
				out = append(out, f.keyDoc(at))
				walk(at, f.Shape)
			}
		}
		if s.Dict != nil {
			walk(prefix+".NAME", s.Dict.Value)
		}
		if s.List != nil && s.Object == nil {
			walk(prefix+"[]", s.List.Item)
		}
	}
	walk("", d.Root)
	return out
}

func (f *Field) keyDoc(path string) KeyDoc {
	k := KeyDoc{Path: path, Type: f.Shape.wanted(), Required: f.Required, Default: f.DefText, Example: f.Example, Doc: f.Doc}
	if k.Default == "" && f.Default == false {
		k.Default = "`false`"
	}
	return k
}
