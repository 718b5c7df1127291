package projects

import "strings"

// KeyDoc describes one key of a configuration, for the reference.
type KeyDoc struct {
	Path     string // "scripts[].name"
	Type     string // in words: "a list of scripts"
	Required bool
	Default  string // Markdown; "" where there is none
	Example  string // YAML, one line; ""
	Doc      string // Markdown
	Template bool   // may hold templates
}

// Keys returns every key of a configuration in the order of the table: a key before those in it. Keys of
// nodes in nodes are not repeated.
func Keys() []KeyDoc {
	var out []KeyDoc
	seen := map[string]bool{}
	var walk func(prefix string, s *shape)
	walk = func(prefix string, s *shape) {
		if s.name != "" {
			if seen[s.name] {
				return
			}
			seen[s.name] = true
		}
		if s.object != nil {
			for _, f := range s.object.fields {
				at := strings.TrimPrefix(prefix+"."+f.key, ".")
				out = append(out, f.keyDoc(at))
				walk(at, f.shape)
			}
		}
		if s.dict != nil {
			walk(prefix+".NAME", s.dict.value)
		}
		if s.list != nil && s.object == nil {
			walk(prefix+"[]", s.list.item)
		}
	}
	walk("", configShape())
	return out
}

func (f *field) keyDoc(path string) KeyDoc {
	k := KeyDoc{Path: path, Type: f.shape.wanted(), Required: f.required, Default: f.defText, Example: f.example}
	if k.Default == "" && f.def == false {
		k.Default = "`false`"
	}
	k.Doc, k.Template = strings.CutSuffix(f.doc, templateNote)
	return k
}

// ReservedValues returns the names that values cannot have.
func ReservedValues() []string { return reservedValues() }

// TemplateFuncs returns the names of the functions that templates have besides those of the language.
func TemplateFuncs() []string { return funcNames() }
