// Package merge finds out what is visible in an image: it reads the streams of its layers, the top one first and each
// once, and gives every member that is visible to a [Sink], once. Nothing hidden is given, and nothing is unpacked:
//
//	layer 3  etc/motd  .wh.usr   ─┐
//	layer 2  usr/bin/  usr/bin/sh ├─ Layers ──> Sink: etc/motd, etc/, bin, then names of what was added
//	layer 1  bin → usr/bin  etc/ ─┘         └─> View: what is at a path; directories that no layer describes
//
// A squashfs, a tar stream, a directory or a list of names are sinks; the package knows none of them, neither the store
// nor images. A sink that wants only names leaves the data where they are.
//
// The rules are those of the image specification's layer.md:
//
//   - `.wh.NAME` hides NAME, and `.wh..wh..opq` all there is in its directory, in lower layers only, wherever in
//     its own layer it stands;
//   - a directory merges with a directory below it and brings its own metadata; anything else hides what is below;
//   - a directory that only its content, or a whiteout in it, implies is the one of a lower layer, or else none that any layer describes
//     ([View.Implied]). It hides a symbolic link of the same name in a lower layer, as it does on an overlay;
//   - of several members of one name in a layer the last counts. Layers with such members are read twice: the
//     merge starts anew with a new sink, and scans the headers of that layer and of those below it before their data;
//   - a hard link means the content that its target has at that point of its layer, be that hidden later, by an
//     upper layer, or from a lower layer. A layer with a hidden member that a visible link needs is read a second
//     time, as far as that member. A link to what its own layer has hidden by then is refused;
//   - the target of a hard link is a name in the layers; symbolic links on the way to it are not followed;
//   - a member below something that is not a directory in the same layer is refused; a whiteout there, or below what the
//     layer itself hides, has nothing to hide, and implies no directory.
//
// What is remembered of a path takes some 50 bytes: a million of them 50 MB.
package merge
