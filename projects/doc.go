// Package projects is the model of what xtoo builds: a tree of configurations becomes a tree of projects, each
// project a tree of nodes, and with values a plan: every node with all that its result depends on.
//
//	Source ── Load ──> Tree ── Select, Resolve ──> Plan: PlannedProject ── Node ── Inputs ──> digests, files as data
//	(an fs.FS)          │           ↑ Given                                           └─────> bytes, to a Keeper
//	                    └─ problems, each with its position
//
// [Load] reads the configurations and checks every rule that holds without values; [Tree.Select] picks
// projects; [Tree.Resolve] gives values to what was picked and makes the [Plan]. All problems of all files
// are collected and returned together, as [*schema.Errors], each with its position. [Node.Inputs] reads what the node
// declares at the moment when it is hashed; after it, no file of the tree is needed.
//
// A [Source] is the work directory, a tree in the program, or one made on the fly: the same code loads them. The
// package reads the source and the files of values that are given, and nothing else: it runs nothing, writes nothing,
// asks nobody (package ask does). It must not know the store, layers, how a node is executed, or what a key is beside
// the digests that it gives for one.
//
// What the keys of a configuration are, which types they take, how they are described and what they default to is
// written once, in keys.go; package schema reads by that table and makes the JSON schema ([Schema]) from it.
package projects

import "xtoo/projects/schema"

// configName is the name of the file that makes a directory a project.
const configName = ".xtoo-config.yaml"

// MaxConfigSize is the size in bytes beyond which a configuration or a file of values is refused.
const MaxConfigSize = schema.MaxSize

// maxScriptSize is the size in bytes beyond which a script is refused: what is larger is no script, and
// belongs under `files`.
const maxScriptSize = 8 << 20
