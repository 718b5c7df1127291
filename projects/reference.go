package projects

import (
	"strings"

	"xtoo/projects/schema"
)

// KeyDoc describes one key of a configuration, for the reference.
type KeyDoc struct {
	schema.KeyDoc
	Template bool // may hold templates
}

// Keys returns every key of a configuration in the order of the table: a key before those in it. Keys of
// nodes in nodes are not repeated.
func Keys() []KeyDoc {
	var out []KeyDoc
	for _, k := range configDocument().Keys() {
		var template bool
		k.Doc, template = strings.CutSuffix(k.Doc, templateNote)
		out = append(out, KeyDoc{k, template})
	}
	return out
}

// ReservedValues returns the names that values cannot have.
func ReservedValues() []string { return reservedValues() }

// TemplateFuncs returns the names of the functions that templates have besides those of the language.
func TemplateFuncs() []string { return funcNames() }

// Schema returns the JSON schema (draft 2020-12) of a configuration, for editors and other checkers. It is
// made from the table that configurations are decoded with, and its keys are in the table's order.
//
// What it accepts can still be wrong for reasons beyond one file (a missing script, a parent that is no
// parent); what it refuses is always wrong.
func Schema() ([]byte, error) { return configDocument().JSON() }
