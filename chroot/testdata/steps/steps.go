// Package steps takes the arguments of the programs that the tests execute apart: one thing to do after another, with ";" between them.
package steps

import "fmt"

// Next takes the first step off. It may be empty.
func Next(args []string) (one, rest []string) {
	for i, a := range args {
		if a == ";" {
			return args[:i], args[i+1:]
		}
	}
	return args, nil
}

// All does all steps, each a verb with arguments, and prints what fails, under the name that a step is given.
func All(args []string, do func(verb string, a []string) error, name func(one []string) string) {
	for len(args) > 0 {
		var one []string
		if one, args = Next(args); len(one) == 0 {
			continue
		}
		if err := do(one[0], one[1:]); err != nil {
			fmt.Printf("%s: error: %v\n", name(one), err)
		}
	}
}
