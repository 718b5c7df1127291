// Package conformance has one test: a corpus of tar streams goes through all users of package layers (the gate of
// unpack, layers/tree, layers/merge, the import of oci), which must agree on each, member by member. It has no code of
// its own, and being a test may import all of those rooms.
package conformance
