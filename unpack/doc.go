// Package unpack takes stage3 tarballs in: it opens one whatever its compression, on all cores, and
// checks and filters its tar stream without changing a byte of what it keeps.
//
//	file ── Open ──> tar stream ── Copy ──> the same stream, checked, less the excluded members
//
// [Open] recognises .tar, .tar.xz, .tar.zst, .tar.gz and .tar.bz2 by content, never by name. An .xz of
// several blocks, as parallel compressors write them, is decoded block by block on all cores: the
// index at its end says where each block lies.
//
// [Copy] is the gate that a stage3 passes once. What it lets through holds no absolute name, no "..",
// no write through a link, no duplicate, no name that would read as a whiteout (see errHostile), and
// is read alike by every reader of tar: where two readings of a header are possible, it is refused.
// Whoever reads the stream after that may trust it. It ends with the zeros behind the end of the archive; the index that
// pixz writes behind them is left out, and anything else there is refused, so that the packing makes no difference.
//
// What a member says is for package layers to interpret ([layers.MemberOf]); the gate walks the raw blocks beside it,
// because it copies bytes, and refuses more. The package must not know layer directories, the store, or images.
//
// Nothing here writes to the file system, and nothing is believed before it is checked: sizes from an
// index or a header never size an allocation by themselves.
package unpack
