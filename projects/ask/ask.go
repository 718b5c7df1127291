// Package ask asks somebody for what a build needs to know: which question comes when, how it is put, whether an answer
// will do, and when it has to be given twice.
//
//	[]Question ── All ──> prompt ──> Reader (a terminal, a form, a test)
//	                 <── text ────┘
//	                 └─ does it do? the same again? ──> []Answer
//
// Questions are lines, and so are answers, so that they are the same on any terminal, through any connection and for who
// has the screen read out:
//
//	Project next/host:
//
//	  Extra programs
//	    What is installed besides the usual.
//	    1 vim
//	    2 tmux
//	  Extra programs (numbers or names, separated by commas): 1,emacs
//	  Not taken: "emacs" is none of the choices: vim, tmux
//	  Extra programs (numbers or names, separated by commas):
//
// It knows no terminal, no project and no configuration: what an answer must be, the question says.
package ask

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Question is one thing that has to be known. The zero value of what is not named here asks for any text.
type Question struct {
	Project   string   // what the answer is for, in words that come back with it
	Name      string   // of what is asked for
	Prompt    string   // what to show; default: Name
	Help      string   // a line or more to show above; default: none
	Want      string   // what an answer must be, in a few words; default: nothing is said
	Default   string   // what an empty answer means; default: an empty text
	Choices   []string // shown with numbers, which may be answered in place of them; that an answer is one of them is for Check
	Many      bool     // several answers in one, separated by commas
	Secret    bool     // not to be seen while it is typed
	Confirm   bool     // to be typed twice
	Platforms []string // which the answer is for, where it is not for all

	// Check says why an answer will not do, in words for who gave it; nil: any answer will. The error must not repeat
	// a secret.
	Check func(text string) error
}

// Answer is what somebody said: of choices the names, whether these or their numbers were given.
type Answer struct {
	Project, Name string
	Text          string
	Platforms     []string
	Default       bool // the question's default will do; there is no Text
}

// title is what is asked for, in a few words.
func (q Question) title() string {
	title := q.Prompt
	if title == "" {
		title = q.Name
	}
	if len(q.Platforms) > 0 {
		title += " for " + strings.Join(q.Platforms, ", ")
	}
	return title
}

// above is what stands above the line in which the answer is typed.
func (q Question) above() string {
	var b strings.Builder
	if q.Help != "" || len(q.Choices) > 0 {
		b.WriteString("  " + q.title() + "\n")
	}
	if q.Help != "" {
		for line := range strings.Lines(q.Help) {
			b.WriteString("    " + strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	for i, c := range q.Choices {
		fmt.Fprintf(&b, "    %d %s\n", i+1, c)
	}
	return b.String()
}

// line is that line.
func (q Question) line() string {
	var notes []string
	switch {
	case len(q.Choices) > 0 && q.Many:
		notes = append(notes, "numbers or names, separated by commas")
	case len(q.Choices) > 0:
		notes = append(notes, "number or name")
	case q.Many:
		notes = append(notes, "separated by commas")
	}
	if q.Want != "" {
		notes = append(notes, q.Want)
	}
	if q.Secret {
		notes = append(notes, "not shown")
	}
	line := "  " + q.title()
	if len(notes) > 0 {
		line += " (" + strings.Join(notes, "; ") + ")"
	}
	if q.Default != "" {
		line += " [" + q.Default + "]"
	}
	return line + ": "
}

// Reader shows lines and reads an answer to the last of them, without its end of line. hidden: it must not be seen while it
// is typed. An error ends the asking.
type Reader func(ctx context.Context, prompt string, hidden bool) (string, error)

// All asks the questions, those of a project one after the other, each until an answer will do. What was wrong with the
// last one stands in the prompt, on a line before the question. The error is the reader's.
func All(ctx context.Context, questions []Question, read Reader) ([]Answer, error) {
	answers := make([]Answer, 0, len(questions))
	project := ""
	for i, q := range grouped(questions) {
		head := "\n"
		if i == 0 || q.Project != project {
			project, head = q.Project, "Project "+q.Project+":\n\n"
			if i > 0 {
				head = "\n" + head
			}
		}
		text, byDefault, err := q.ask(ctx, head, read)
		if err != nil {
			return nil, fmt.Errorf("ask for value %s: %w", q.Name, err)
		}
		answers = append(answers, Answer{Project: q.Project, Name: q.Name, Text: text, Platforms: q.Platforms, Default: byDefault})
	}
	return answers, nil
}

// grouped puts the questions of a project together: projects in the order in which they come first.
func grouped(questions []Question) []Question {
	first := map[string]int{}
	for i, q := range questions {
		if _, ok := first[q.Project]; !ok {
			first[q.Project] = i
		}
	}
	out := slices.Clone(questions)
	slices.SortStableFunc(out, func(a, b Question) int { return first[a.Project] - first[b.Project] })
	return out
}

// ask asks one question.
func (q Question) ask(ctx context.Context, head string, read Reader) (text string, byDefault bool, err error) {
	prompt := head + q.above() + q.line()
	for {
		if err := ctx.Err(); err != nil {
			return "", false, err
		}
		text, err := read(ctx, prompt, q.Secret)
		if err != nil {
			return "", false, err
		}
		if text == "" && q.Default != "" {
			return "", true, nil
		}
		text = q.chosen(text)
		if q.Check != nil {
			if err := q.Check(text); err != nil {
				prompt = "  Not taken: " + err.Error() + "\n" + q.line()
				continue
			}
		}
		if !q.Confirm {
			return text, false, nil
		}
		again, err := read(ctx, "  The same again: ", q.Secret)
		if err != nil || q.chosen(again) == text {
			return text, false, err
		}
		prompt = "  Not taken: the two answers differ\n" + q.line()
	}
}

// chosen puts the names of choices in place of their numbers. What is the name of a choice is never a number.
func (q Question) chosen(text string) string {
	if len(q.Choices) == 0 {
		return text
	}
	words := []string{text}
	if q.Many {
		words = strings.Split(text, ",")
	}
	for i, w := range words {
		w = strings.TrimSpace(w)
		if n, err := strconv.Atoi(w); err == nil && n >= 1 && n <= len(q.Choices) && !slices.Contains(q.Choices, w) {
			w = q.Choices[n-1]
		}
		words[i] = w
	}
	return strings.Join(words, ",")
}
