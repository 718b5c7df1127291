// Package oci is the room of OCI images: it makes configs, manifests and indexes, keeps image layouts, and
// imports the images that a project names in its `from:`.
//
// Four things stand here, each on its own:
//
//   - [Build] and [BuildIndex] turn a description of an image into the exact bytes of its config, manifest or
//     index. The same description gives the same bytes; nothing of the clock, the host or the order of a map
//     enters them. [Merge] puts a project's image settings onto those of its parent.
//   - [Layout] reads and changes an image layout directory; [Export] brings references and what they reach into one.
//   - [WriteArchive] and [WriteDockerArchive] write an image as one tar stream, for those who read no layout.
//   - [Reference.Import] and [Reference.Resolve] read `oci:`, `oci-archive:` and `docker-archive:` references.
//
// Nothing here knows the store: blobs are read from a [BlobSource] and written to a [BlobSink].
//
// Every document that was not made here is hostile until checked: at most maxDocument bytes, digests validated
// before they become file names, media types and counts compared, and every blob's size and digest verified
// while it streams. No function opens a connection or reads the host's configuration of container tools.
package oci
