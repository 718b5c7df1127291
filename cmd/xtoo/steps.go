package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

func newStepsCommand(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "steps",
		Short: "List the steps that nodes can use by name",
		Long: `List the steps that nodes can use by name ("step: hostname"), what each does, and where it comes from:
xtoo itself, or a directory steps/NAME of the work directory or of $XDG_CONFIG_HOME/xtoo
(~/.config/xtoo). Where several have one name, the work directory's counts, and xtoo's comes last.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runSteps(g) },
	}
	c.AddCommand(&cobra.Command{
		Use:   "show NAME",
		Short: "Describe a step: its parameters, its check, an example",
		Long: `Describe a step: what it does, its parameters, the check that comes with it, and a node that uses it.
NAME may be an alias.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runStepsShow(g, args[0]) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			var out []string
			for _, name := range g.library().StepNames() {
				if len(args) == 0 && strings.HasPrefix(name, prefix) {
					out = append(out, name)
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
	})
	return c
}

func runSteps(g *globals) error {
	var probs schema.Problems
	docs := []library.StepDoc{}
	for _, s := range g.library().Steps(&probs) {
		docs = append(docs, s.Doc())
	}
	for _, p := range probs.Sorted() {
		say(g.err, "warning", p.Error())
	}
	if g.json {
		return printJSON(g.out, docs)
	}
	width := 0
	for _, d := range docs {
		width = max(width, len(d.Name))
	}
	var b strings.Builder
	for _, group := range append(library.Groups(), "") {
		title := "Others\n"
		if group != "" {
			title = strings.ToUpper(group[:1]) + group[1:] + "\n"
		}
		for _, d := range docs {
			if d.Group != group {
				continue
			}
			b.WriteString(title)
			title = ""
			fmt.Fprintf(&b, "  %-*s  %s  [%s]\n", width, d.Name, plainText(d.Summary), d.From)
		}
	}
	_, err := fmt.Fprint(g.out, printableText(b.String()))
	return err
}

// plainText is Markdown without the marks of code.
func plainText(text string) string { return strings.ReplaceAll(text, "`", "") }

func runStepsShow(g *globals, name string) error {
	var probs schema.Problems
	s := g.library().Step(name, schema.Position{}, &probs)
	if s == nil {
		return probs.Err()
	}
	d := s.Doc()
	if g.json {
		return printJSON(g.out, d)
	}
	_, err := fmt.Fprint(g.out, printableText(describeStep(d)))
	return err
}

// describeStep describes a step in plain text.
func describeStep(d library.StepDoc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  [%s]\n", d.Name, d.From)
	if len(d.Aliases) > 0 {
		fmt.Fprintf(&b, "also known as %s\n", strings.Join(d.Aliases, ", "))
	}
	fmt.Fprintf(&b, "\n%s\n", plainText(d.Description))
	if d.Network {
		b.WriteString("\nIt has the network of the project.\n")
	}
	if len(d.Parameters) > 0 {
		b.WriteString("\nParameters (with):\n")
	}
	for _, p := range d.Parameters {
		describeParameter(&b, p, "  ")
		for _, f := range p.Fields {
			describeParameter(&b, f, "    ")
		}
	}
	if d.Check != nil {
		fmt.Fprintf(&b, "\nCheck: %s\n  %s\n", d.Check.Name, indented(d.Check.Doc, "  "))
	}
	fmt.Fprintf(&b, "\nExample:\n  %s\n", indented(strings.TrimSpace(d.Example), "  "))
	return b.String()
}

func describeParameter(b *strings.Builder, p library.ParameterDoc, indent string) {
	var notes []string
	if p.Type != "" {
		notes = append(notes, p.Type)
	}
	if p.Required {
		notes = append(notes, "required")
	}
	if len(p.Choices) > 0 {
		notes = append(notes, "one of "+strings.Join(p.Choices, ", "))
	}
	if p.Default != "" {
		notes = append(notes, "default "+p.Default)
	}
	fmt.Fprintf(b, "%s%s", indent, p.Name)
	if len(notes) > 0 {
		fmt.Fprintf(b, "  (%s)", strings.Join(notes, "; "))
	}
	b.WriteString("\n")
	if p.Doc != "" {
		fmt.Fprintf(b, "%s    %s\n", indent, indented(plainText(p.Doc), indent+"    "))
	}
}

// indented puts an indentation before each line but the first.
func indented(text, indent string) string { return strings.ReplaceAll(text, "\n", "\n"+indent) }
