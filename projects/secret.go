package projects

import (
	"encoding"
	"fmt"
	"io"
)

// Secret is a text that must not be seen. Every way of printing or encoding it makes "(secret)";
// [Secret.Reveal] alone gives the text.
type Secret struct {
	text string
}

// Whatever encodes texts encodes it so.
var _ encoding.TextMarshaler = Secret{}

const hidden = "(secret)"

// newSecret hides a text.
func newSecret(text string) *Secret { return &Secret{text} }

// Reveal returns the text, for the file that the script reads it from and for keyed digests.
func (s *Secret) Reveal() string { return s.text }

// String hides the text.
func (s *Secret) String() string { return hidden }

// GoString hides the text from %#v.
func (s *Secret) GoString() string { return hidden }

// Format hides the text from every verb. It has the value as its receiver so that dereferenced secrets in
// printed structs are hidden too.
func (s Secret) Format(f fmt.State, _ rune) {
	// A failed write is the printer's to report: fmt ignores errors of formatters.
	_, _ = io.WriteString(f, hidden)
}

// MarshalText hides the text from JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
