// Package layers says what a layer is. A layer is a tar stream; [Reader] reads it and [Writer] writes it in one form:
//
//	tar stream ── Reader ──> Member, data ── layers/tree ───> a directory for overlayfs
//	                                      ── layers/merge ──> what is visible of many layers
//	                                      ── oci ───────────> an image from elsewhere, checked
//	stage3 ── unpack.Copy ── MemberOf ──> the same stream, byte for byte
//	an overlay's upper directory ── layers/tree ── Writer ──> tar stream
//
// Each rule about members stands here and nowhere else:
//
//   - names, and the targets of hard links, are relative to the image's root, absolute ones too, and lose "./", "//" and
//     slashes at the ends; ".." and zero bytes are refused, components of more than 255 bytes too. An empty name is the root's;
//   - `.wh.NAME` is the whiteout of NAME, `.wh..wh..opq` hides all that lower layers have in its directory. Other names
//     that begin with `.wh..wh.`, and what lies below them, are a storage driver's own and mean nothing. Of a whiteout
//     nothing but the name counts;
//   - ids are less than 2^32-1, device numbers have 12 and 20 bits, targets of symbolic links 1 to 4095 bytes;
//   - extended attributes come as `SCHILY.xattr.NAME` (star, GNU tar, Go, every image) or `LIBARCHIVE.xattr.NAME` (bsdtar:
//     the name percent-encoded, the value in base64); of both forms the first counts. GNU tar writes "=" in a name, which
//     would end it, as %3D, and "%" as %25; so does [Writer] where it must. Access control lists come so
//     too, or as the texts `SCHILY.acl.access` and `.default`, in which names may stand in place of ids ([Member.Named]);
//     permissions follow a list of access, as they do where one is set. File capabilities lose the id of the namespace
//     they were set in;
//   - attributes by which overlayfs and layer directories express what a stream expresses otherwise are nobody's, and
//     so are those that do not parse or that no kernel holds: a member does not have them, and says so ([Member.Lost]);
//   - global headers change nothing. A stream may lack the two blocks that end an archive, and the padding of its last
//     member, as those of `umoci insert` do: whether it is whole is for its diff id to say.
//
// The package must not know directories, stores or images: those are its inner rooms, layers/inode, layers/tree,
// layers/merge and layers/store, and its neighbours.
package layers
