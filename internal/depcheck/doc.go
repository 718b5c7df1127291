// Package depcheck holds a test and nothing else: that the direct dependencies of go.mod are those of
// docs/dependencies.md, each with its reason, so that none comes in without somebody having thought about it.
package depcheck
