package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/projects"
	"xtoo/projects/schema"
)

func newTypesCommand(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "types",
		Short: "List the types that projects can have",
		Long: `List the types that projects can have ("type: stage4"), what each is, and where it comes from: xtoo
itself, or a file types/NAME.yaml of the work directory or of $XDG_CONFIG_HOME/xtoo (~/.config/xtoo).
Where several have one name, the work directory's counts, and xtoo's comes last.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runTypes(g) },
	}
	c.AddCommand(&cobra.Command{
		Use:   "show NAME",
		Short: "Describe a type: its parents, values, nodes, checks and image",
		Long: `Describe a type: which types its parent may have, the architectures it fits, the values that it
brings and asks for, its nodes and checks in the order in which they are executed, and what its image
says about running it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runTypesShow(g, args[0]) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeTypes(g, prefix), cobra.ShellCompDirectiveNoFileComp
		},
	})
	return c
}

// completeTypes completes names of types.
func completeTypes(g *globals, prefix string) []string {
	var out []string
	types, err := projects.Types(g.source())
	if err != nil && len(types) == 0 {
		return nil
	}
	for _, t := range types {
		if strings.HasPrefix(t.Name, prefix) {
			out = append(out, t.Name)
		}
	}
	return out
}

func runTypes(g *globals) error {
	types, err := projects.Types(g.source())
	if err != nil && !warnOf(g, err) {
		return err
	}
	if g.json {
		return printJSON(g.out, types)
	}
	width := 0
	for _, t := range types {
		width = max(width, len(t.Name))
	}
	var b strings.Builder
	for _, t := range types {
		fmt.Fprintf(&b, "%-*s  %s  [%s]\n", width, t.Name, summary(t.Description), whereFrom(t.File))
	}
	_, err = fmt.Fprint(g.out, printableText(b.String()))
	return err
}

// warnOf warns of what is wrong with some types: the others are no worse for it. Of another error it says nothing, and returns false.
func warnOf(g *globals, err error) bool {
	var wrong *schema.Errors
	if !errors.As(err, &wrong) {
		return false
	}
	for _, p := range wrong.List {
		say(g.err, "warning", p.Error())
	}
	return true
}

// summary is the first sentence of a description, in plain text.
func summary(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " ")
	for _, end := range []string{": ", ". "} {
		if i := strings.Index(text, end); i > 0 {
			text = text[:i]
		}
	}
	return strings.TrimSuffix(text, ".")
}

// whereFrom says where a type comes from.
func whereFrom(file string) string {
	if strings.HasPrefix(file, "xtoo:") {
		return "xtoo"
	}
	return file
}

func runTypesShow(g *globals, name string) error {
	t, err := projects.Type(g.source(), name)
	if err != nil {
		return err
	}
	if g.json {
		return printJSON(g.out, t)
	}
	_, err = fmt.Fprint(g.out, printableText(describeType(t)))
	return err
}

// describeType describes a type in plain text.
func describeType(t *projects.TypeInfo) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  [%s]\n\n%s\n\n", t.Name, whereFrom(t.File), strings.ReplaceAll(t.Description, "`", ""))
	if len(t.Extends) > 0 {
		fmt.Fprintf(&b, "Extends: %s\n", strings.Join(t.Extends, ", "))
	}
	fmt.Fprintf(&b, "Parent: %s\n", parentsInWords(t))
	arches := "all"
	if len(t.Architectures) > 0 {
		arches = strings.Join(t.Architectures, ", ")
	}
	fmt.Fprintf(&b, "Architectures: %s\n", arches)
	if len(t.Exclude) > 0 {
		b.WriteString("\nNever in the base layer:\n")
		describeWords(&b, "exclude", t.Exclude)
	}
	if len(t.Values) > 0 {
		b.WriteString("\nValues:\n")
	}
	for _, v := range t.Values {
		describeValue(&b, v)
	}
	describeNodes(&b, "Nodes, in the order of execution", t.Nodes)
	describeNodes(&b, "Checks of the finished image", t.Checks)
	if t.Entrypoint != nil || t.Cmd != nil {
		b.WriteString("\nImage:\n")
		describeWords(&b, "entrypoint", t.Entrypoint)
		describeWords(&b, "cmd", t.Cmd)
	}
	return b.String()
}

func describeWords(b *strings.Builder, key string, words []string) {
	if words != nil {
		fmt.Fprintf(b, "  %s  [%s]\n", key, strings.Join(words, ", "))
	}
}

// parentsInWords says which parent a project of the type may have.
func parentsInWords(t *projects.TypeInfo) string {
	var words []string
	for _, p := range t.Parents {
		switch p {
		case "any":
			p = "of any type"
		case "none":
			p = "without a type"
		}
		words = append(words, p)
	}
	if t.Root {
		words = append(words, "none: it may be a root")
	}
	return strings.Join(words, ", ")
}

func describeValue(b *strings.Builder, v projects.ValueInfo) {
	notes := []string{v.Type}
	if v.Secret {
		notes[0] = "secret"
	}
	if len(v.Choices) > 0 {
		notes = append(notes, "one of "+strings.Join(v.Choices, ", "))
	}
	if v.Default == nil {
		notes = append(notes, "asked for")
	} else {
		notes = append(notes, "default "+*v.Default)
	}
	fmt.Fprintf(b, "  %s  (%s)\n", v.Name, strings.Join(notes, "; "))
	about := v.Prompt
	if v.Help != "" {
		about = strings.TrimPrefix(about+". "+v.Help, ". ")
	}
	if about != "" {
		fmt.Fprintf(b, "      %s\n", strings.ReplaceAll(strings.ReplaceAll(about, "`", ""), "\n", "\n      "))
	}
}

func describeNodes(b *strings.Builder, title string, nodes []projects.NodeInfo) {
	if len(nodes) > 0 {
		fmt.Fprintf(b, "\n%s:\n", title)
	}
	for _, n := range nodes {
		if n.Own {
			b.WriteString("  (the project's own nodes)\n")
			continue
		}
		fmt.Fprintf(b, "  %s  (%s", n.Path, n.What)
		if n.When != "" {
			fmt.Fprintf(b, "; only with %s", n.When)
		}
		b.WriteString(")\n")
	}
}
