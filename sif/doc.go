// Package sif writes images as SIF files, the single-file images that Apptainer and Singularity run, and opens
// such files.
//
// # From layers to a filesystem
//
// [Write] reads the tar streams of an image's layers, topmost layer first, each once, and gives every entry that
// is visible in the image to a squashfs writer, once. Nothing hidden is packed, nothing is unpacked to disk, and
// the filesystem is written where it belongs in the SIF file. The rules are those of the image specification's
// layer.md:
//
//   - `.wh.NAME` hides NAME, and `.wh..wh..opq` all there is in its directory, in lower layers only, wherever in
//     its own layer it stands;
//   - a directory merges with a directory below it and brings its own metadata; anything else hides what is below;
//   - a directory that only its content implies is the one of a lower layer, or else root's, with mode 0755. It
//     hides a symbolic link of the same name in a lower layer, as it does on an overlay;
//   - of several members of one name in a layer the last counts. Layers with such members are read twice: the
//     merge starts anew, and scans the headers of that layer and of those below it before their data;
//   - a hard link means the content that its target has at that point of its layer, be that hidden later, by an
//     upper layer, or from a lower layer. A layer with a hidden member that a visible link needs is read a second
//     time, as far as that member;
//   - the target of a hard link is a name in the layers; symbolic links on the way to it are not followed;
//   - a member below something that is not a directory in the same layer is refused, as are absolute names, names
//     with "..", unknown types, and numbers that no file system holds.
//
// Extended attributes of the namespaces user, trusted and security are kept as they are. Others, and with them
// access control lists, have no place in squashfs: they are left out, counted and logged. Times before 1970 and
// after 2106 become these, which is counted too.
//
// A million entries take about 250 MB in all, a fifth of it here, when the program has told the collector of a
// limit (debug.SetMemoryLimit); an ordinary root takes 40 MB.
//
// # What Singularity finds
//
// Laid over every image, hiding what the image has of that name: the directory .singularity.d with scripts made
// from the image's OCI configuration, and the links .exec, .run, .shell, .test, environment and singularity into
// it. What it mounts over (dev, proc, tmp, etc/hosts and so on) is added where the image lacks it.
//
// The runscript treats arguments as `docker run` does: they take the place of the image's command, its entry
// point stays, and nothing is expanded. Where there is neither, or an init is the entry point, it starts a login
// shell; an init is what the startscript starts.
//
// # Layout of a SIF file
//
// Numbers are little-endian, positions in bytes from the start of the file.
//
//	0       header, 128 bytes
//	          0  launch script, 32 bytes      64  created, seconds since 1970
//	         32  "SIF_MAGIC\0"                72  modified
//	         42  version "01\0"               80  descriptors free
//	         45  architecture "02\0"          88  descriptors in all
//	         48  UUID, 16 bytes               96  position of the descriptors
//	                                         104  their size in bytes
//	                                         112  position of the data
//	                                         120  their size in bytes
//	4096    48 descriptors of 585 bytes
//	32768   definition file                   type 0x4001
//	        inspect-metadata.json             type 0x4006
//	        oci-config.json                   type 0x4006: the configuration's "config" object
//	        squashfs                          type 0x4004, filesystem 1, primary system partition 2
//
// Each object begins at a multiple of 4096. The UUID is nil and all times are the image's, so that equal images
// are equal files. The format has no specification beside its reference implementation, github.com/sylabs/sif.
package sif
