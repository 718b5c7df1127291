// Package library is what configurations use by name: steps and types, those that ship within the program and a user's own.
//
//	place ── steps/NAME/step.yaml     what the step does, its parameters, its check
//	  │             /run.sh           its script
//	  │             /check.sh         the script of its check, if it has one
//	  │             /test.yaml        its tests; internal/steptest reads them
//	  ├───── types/NAME.yaml          a type
//	  │      types/NAME/…             scripts and files that it names
//	  └───── sh/NAME.sh               shell functions that steps share; of what ships alone
//
// A [Place] is any file system with such directories: a work directory, a user's directory of configurations, what
// ships. The first that has a name counts, and what ships comes last, so that it can be replaced.
//
//	Open ──> Library ── Step ──> Step: script, Parameters ── Encode ──> WITH_NAME of the script's environment
//	                 ├─ Check ─> the step that brings a check
//	                 └─ Type ──> Type: the bytes of its file, and where what it names is found
//
// Files of users are hostile until read: what is wrong with one is a problem with its position. The package reads
// no environment, runs nothing, and knows no project: what a template in a parameter means, and what a type says, is for
// package projects.
package library

import "embed"

//go:embed all:steps all:sh all:types
var shipped embed.FS

// program is whose files these are.
const program = "xtoo"

// shippedName is what positions in files begin with that ship within the program.
const shippedName = program + ":"
