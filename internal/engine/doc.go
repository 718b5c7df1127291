// Package engine evaluates a plan: it says what the state of each node is and why, schedules and executes what is
// missing, puts images together and has them written. It says what happens as events; printing them is for cmd.
//
// One project is one chain: the layers of its root's base, then those of its ancestors' nodes, then its own. Every link
// of the chain has a key (key.go). A link whose key has a record in the store is not executed; nothing of it is opened.
// [Build], [Status] and [Arches] go the same way through the same evaluation (evaluate.go, base.go, walk.go) and differ
// in what they do about a state.
//
// Three sockets are defined here and filled from outside: a [Source] is what roots start from, a [Runner] executes a
// [Job], an [Output] writes images. So the engine must not know how a stage3 is read, how a namespace is made or a SIF
// file laid out. The fillings are its inner rooms, which know it and not each other:
//
//	internal/engine/sources     stage3 files, images from elsewhere, nothing at all
//	internal/engine/local       this machine, with chroot and layers/tree
//	internal/engine/outputs     OCI image layouts, SIF files
//	internal/engine/enginetest  for tests: a suite for each socket, and fillings in memory
//
// What it writes, all of it in the store: scripts and declared files (inputs/), logs, configs, manifests and indexes as
// blobs, the tags of oci/index.json, and records of these kinds:
//
//	bases/3   identity of a base → its layers and what the source knows of it
//	looks/2   the same without layers: what only looking at a base has found
//	nodes/4   content key of a node → its layer
//	last/3    project, node or check, and architecture → the inputs of the last execution, to say why it must be executed now
//	runs/3    keys of all nodes of a project → their layers, so that nothing to do costs one record a project
//	checks/1  content of an image, its settings and the inputs of a check → the check has succeeded
//	images/2  all that an image is put together from → its manifest, config and layers
package engine
