// Package engine walks a plan: it schedules nodes, looks them up in the cache, executes and commits what is
// missing, puts images together and emits them. It says what happens as events; printing them is for cmd.
//
// One project is one chain: the base layer of its root, then the layers of its ancestors' nodes, then its
// own. Every link of the chain has a key (key.go). A link whose key has a record in the store is not
// executed; nothing of it is opened.
package engine
