// Package rootfs unpacks an image's root into a directory of the user's: what is visible in the layers, as plain files.
//
//	layers' streams ── layers/merge ──> sink ──> .DIR.RANDOM.part/ ── rename ──> DIR/
//
// Files are made as they come, each once, below a directory that only its owner can enter; directories get their owners, modes and
// times at the end, the deepest first. The directory has its name when all is in it, or never: what was begun is removed, and what a
// killed process left, by the next call for the same directory.
//
// What the user may not do is not recorded, as it is in the directories of layers: files of others become the user's, without their setuid and
// setgid bits, which would be the user's then; device nodes and attributes that are refused are left out. All of it is counted.
//
// No path of the image leads out of the directory: every name is made in a directory that was opened below it. The package must not know the
// store, nor how an image came about.
package rootfs
