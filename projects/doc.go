// Package projects is the model of what xtoo builds: a work directory becomes a tree of projects, each
// project a tree of nodes, and with values a plan: every node with all that its result depends on.
//
// [Load] reads the configurations and checks every rule that holds without values; [Tree.Select] picks
// projects; [Tree.Resolve] gives values to what was picked and makes the [Plan]. All problems of all files
// are collected and returned together, as [*schema.Errors], each with its position.
//
// The package reads the tree of configurations with the files they name, and nothing else: it runs
// nothing, writes nothing, asks nobody. What the keys of a configuration are, which types they take, how
// they are described and what they default to is written once, in keys.go; the decoder, the JSON schema
// ([Schema]) and the reference in docs/ are made from it.
package projects

import "xtoo/projects/schema"

// configName is the name of the file that makes a directory a project.
const configName = ".xtoo-config.yaml"

// MaxConfigSize is the size in bytes beyond which a configuration or a file of values is refused.
const MaxConfigSize = schema.MaxSize

// maxScriptSize is the size in bytes beyond which a script is refused: what is larger is no script, and
// belongs under `files`.
const maxScriptSize = 8 << 20
