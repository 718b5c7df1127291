package library

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// Type is a type as a file: what stands in it is for package projects.
type Type struct {
	Name string
	File string // for messages: "xtoo:types/kantoo.yaml"
	Data []byte
	// Place is where the scripts and files are found that it names, below Dir of it: "types/NAME".
	Place Place
	Dir   string
}

// Type finds a type by its name. What is wrong with its file goes to probs, and so does an unknown name, with pos; ok is then false.
func (l *Library) Type(name string, pos schema.Position, probs *schema.Problems) (t Type, ok bool) {
	if nameRule().MatchString(name) {
		for _, p := range l.places {
			file := path.Join("types", name+typeSuffix)
			data, err := readRegular(p.FS, file, schema.MaxSize)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				probs.Add(schema.Problem{Pos: schema.Position{File: p.shown(file)}, Msg: "cannot read the type: " + reason(err), Err: err})
				return Type{}, false
			}
			return Type{Name: name, File: p.shown(file), Data: data, Place: p, Dir: path.Join("types", name)}, true
		}
	}
	known := l.TypeNames()
	p := schema.Problem{Pos: pos, Msg: fmt.Sprintf("there is no type %q%s", schema.Shorten(name), nearest.DidYouMean(name, known))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "one of your own is a file types/NAME" + typeSuffix + " in the work directory"
		if len(known) > 0 {
			p.Hint = "known types are " + strings.Join(known, ", ") + "; " + p.Hint
		}
	}
	probs.Add(p)
	return Type{}, false
}

// TypeNames returns the names of all types, sorted.
func (l *Library) TypeNames() []string {
	return l.list("types", func(_ Place, e fs.DirEntry) (string, bool) {
		name, ok := strings.CutSuffix(e.Name(), typeSuffix)
		return name, ok && !e.IsDir()
	})
}

const typeSuffix = ".yaml"
