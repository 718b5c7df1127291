// Package sif writes images as SIF files, the single-file images that Apptainer and Singularity run, and opens
// such files.
//
// # From layers to a filesystem
//
// [Write] has layers/merge find out what is visible in the image, and gives that to a squashfs writer, once. Nothing
// hidden is packed, nothing is unpacked to disk, and the filesystem is written where it belongs in the SIF file:
//
//	what Singularity finds ─┐
//	the image's layers     ─┴─ merge ── sink ── squashfs ──> partition of the SIF file
//	what it mounts over, where the image lacks it ─┘
//
// [WriteSquashfs] does the same for the layers alone, into a file that is the filesystem.
//
// A directory that no layer describes is root's, with mode 0755 and the image's time.
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
