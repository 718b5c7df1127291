// Package stage4 writes an image's root as a tarball, as catalyst's stage4 is one: what stage3s are, with more in it.
//
//	layers' streams ── layers/merge ──> sorter ──> archive ──> compressor ──> FILE
//	  upper ones: kept in a spool         │           └──> listing ──> gzip ──> FILE.CONTENTS.gz
//	  the lowest: passed on as it comes ──┘                  digests of both: FILE.sha256, FILE.DIGESTS
//
// The members are those of the layers, hidden ones and whiteouts left out: their owners as numbers, hard links, devices,
// extended attributes, times. A directory stands before what is in it, and all that is in it follows before what is not,
// so that a program that sets a directory's time when it leaves it sets the right one. Within that the order is the lowest
// layer's own, and what the upper layers have in a directory comes at its end, by name. So the greatest part goes from the
// layer into the tarball as it comes; only what the upper layers have waits in a temporary file. Where the lowest layer is not in such
// an order, or leaves out directories, as those of foreign images may, everything waits, and the order is that of names.
//
// The bytes depend on the layers and the compression alone. The package must not know the store, nor how an image came about.
package stage4
