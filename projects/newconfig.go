package projects

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/qemu"
)

// NewConfig is what goes into a configuration that is written for somebody.
type NewConfig struct {
	Type TypeInfo
	// Base are lines that say what a root starts from; "" for others.
	Base string
	// Values are the values that are known, as YAML, by name. The others of the type stand there as comments, with their
	// defaults.
	Values map[string]string
	// Scripts are the project's own nodes, as YAML: a list at the left edge. "": there are none yet, and a comment shows
	// how one looks.
	Scripts string
	// Comment is what stands at the top, besides what the type is.
	Comment string
}

// Text is the configuration: commented, and valid if what was given is.
func (c NewConfig) Text() []byte {
	var b strings.Builder
	first, _, _ := strings.Cut(c.Type.Description, "\n\n")
	comment(&b, "", strings.ReplaceAll(first, "\n", " "))
	comment(&b, "", fmt.Sprintf("`xtoo types show %s` says all about the type, docs/configuration.md about what may stand here.", c.Type.Name))
	if c.Comment != "" {
		b.WriteString("#\n")
		for _, line := range strings.Split(c.Comment, "\n") {
			comment(&b, "", line)
		}
	}
	fmt.Fprintf(&b, "type: %s\n", c.Type.Name)
	if c.Base != "" {
		b.WriteString("\n# What it starts from.\n" + strings.TrimRight(c.Base, "\n") + "\n")
	}
	c.values(&b)
	c.scripts(&b)
	return []byte(b.String())
}

func (c NewConfig) values(b *strings.Builder) {
	if len(c.Type.Values) == 0 {
		return
	}
	mark := ""
	if len(c.Values) == 0 {
		mark = "# "
	}
	b.WriteString("\n# Values of the type. Those behind a # have the default that stands there.\n" + mark + "values:\n")
	for _, v := range c.Type.Values {
		about := strings.TrimSpace(v.Prompt)
		if v.Help != "" {
			about = strings.TrimSpace(strings.TrimSuffix(about, ".") + ". " + v.Help)
			about = strings.TrimPrefix(about, ". ")
		}
		if len(v.Choices) > 0 {
			about += " One of: " + strings.Join(v.Choices, ", ") + "."
		}
		comment(b, "  ", strings.ReplaceAll(about, "\n", " "))
		switch text, known := c.Values[v.Name]; {
		case known:
			fmt.Fprintf(b, "  %s: %s\n", v.Name, text)
		case v.Secret:
			fmt.Fprintf(b, "  # %s is a secret and stands in no file: xtoo asks for it when it builds.\n", v.Name)
		case v.Default == nil:
			fmt.Fprintf(b, "  # %s: (xtoo asks when it builds)\n", v.Name)
		default:
			fmt.Fprintf(b, "  # %s: %s\n", v.Name, *v.Default)
		}
	}
}

func (c NewConfig) scripts(b *strings.Builder) {
	before, after := "", ""
	own := false
	for _, n := range c.Type.Nodes {
		switch {
		case n.Own:
			own = true
		case own && after == "":
			after = n.Path
		case !own:
			before = n.Path
		}
	}
	about := "Nodes of the project's own: each executes a script or a step, and makes a layer."
	switch {
	case before != "" && after != "":
		about += fmt.Sprintf(" They are executed after the type's %q and before its %q.", before, after)
	case before != "":
		about += " They are executed after those of the type."
	case after != "":
		about += " They are executed before those of the type."
	}
	b.WriteString("\n")
	comment(b, "", about)
	if c.Scripts != "" {
		b.WriteString("scripts:\n" + c.Scripts)
		return
	}
	b.WriteString("# scripts:\n#   - {name: hello, run: \"echo hello from $XTOO_PROJECT > /etc/motd\"}\n")
}

// comment writes a text as lines of a comment, not much longer than 100 characters.
func comment(b *strings.Builder, indent, text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+len(word) > 100 {
			b.WriteString(indent + "# " + line + "\n")
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		b.WriteString(indent + "# " + line + "\n")
	}
}

// yamlList is a list of texts as YAML, in one line.
func yamlList(list []string) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = yamlText(w)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// yamlText is a text as YAML that stays in its line and may stand within [] and {}.
func yamlText(text string) string {
	if yamlPlain().MatchString(text) {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err == nil && len(n.Content) == 1 && n.Content[0].ShortTag() == "!!str" {
			return text
		}
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var yamlPlain = pattern(`^[A-Za-z0-9/][A-Za-z0-9._/@+=-]*$`)

// BaseLines are the lines of a configuration that say what a root starts from: key is "stage3" or "from", arch is empty where it is to be
// found out.
func BaseLines(key, what, arch string) (string, error) {
	if arch == "" {
		return fmt.Sprintf("%s: %s", key, yamlText(what)), nil
	}
	a, err := qemu.Lookup(arch, "")
	if err != nil {
		return "", err
	}
	main := "file"
	if key == "from" {
		main = "image"
	}
	return fmt.Sprintf("%s: {%s: %s, arch: %s, subarch: %s}", key, main, yamlText(what), a.Name, a.Subarch), nil
}
