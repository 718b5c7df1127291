// Package sources knows what roots start from: it fills the socket [engine.Source] with stage3 files ([Stage3]), images from elsewhere
// ([Image]) and nothing at all ([Scratch]). It must not know what is built on them, nor who executes it.
//
// What it writes, in the store: the layers that it reads and, where a node will be executed on a stage3, the directory of its
// layer; and the store's own memory of the digests of files outside.
package sources
