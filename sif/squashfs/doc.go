// Package squashfs writes squashfs 4.0 filesystems in one pass, and reads them back.
//
// The [Writer] takes entries in any order, as a merge of tar streams yields them, and puts file data
// straight into its [Output]: no temporary copy, no second look at the data. The [Reader] checks what
// was written, or what a stranger hands over, and believes nothing that it has not checked.
//
// # Layout
//
// Everything is little-endian; positions are bytes from the start of the filesystem. A filesystem
// starts wherever its Output starts, for instance in a partition of a SIF file.
//
//	0   superblock, 96 bytes                     written last
//	96  compression options                      one uncompressed metadata block; only where the
//	                                             options differ from the format's defaults
//	    data and fragment blocks                 in the order of the calls to Add
//	    inode table                              metadata blocks
//	    directory table                          metadata blocks
//	    fragment table                           metadata blocks, then their positions (8 bytes each)
//	    export table                             the same: inode number → inode
//	    id table                                 the same: 16-bit index → uid or gid
//	    xattr lists                              metadata blocks
//	    xattr table                              metadata blocks, then header and positions
//	    zeros to a multiple of 4096              not counted in the superblock's size
//
// The kernel checks that each table ends where the next begins, so the order is not free.
//
//	superblock
//	0  u32 magic "hsqs"        32 u64 root inode
//	4  u32 inodes              40 u64 bytes used
//	8  u32 time                48 u64 id table
//	12 u32 block size          56 u64 xattr table
//	16 u32 fragments           64 u64 inode table
//	20 u16 compression         72 u64 directory table
//	22 u16 log2(block size)    80 u64 fragment table
//	24 u16 flags               88 u64 export table
//	26 u16 ids
//	28 u16 major 4, u16 minor 0
//
// A data block is compressed on its own; its size on disk stands in the block list of its file's
// inode: bit 24 set means stored as it is, 0 means a hole (all zeros, nothing on disk). What is left of
// a file after its last whole block goes into a fragment block, shared with other files.
//
// A metadata block holds 8192 bytes, compressed on its own behind a 16-bit size whose bit 15 means
// stored as it is. A reference to something in a metadata table is (position of the block from the
// table's start) << 16 | offset in the uncompressed block; records run across blocks.
//
// The format has no specification of its own beyond Documentation/filesystems/squashfs.rst of the Linux
// kernel and fs/squashfs/squashfs_fs.h; section names in comments below refer to the former.
//
// # Same calls, same bytes
//
// The bytes depend on the sequence of calls and on the [Options], never on Jobs, scheduling or the
// clock. Blocks are compressed side by side, but cut, deduplicated and placed in the order of the calls.
//
// Whole-file duplicates are found by the SHA-256 of the content. A file of up to 1 MiB is known to be a
// duplicate before anything of it is compressed; of a larger one the blocks written so far are
// overwritten by what follows.
//
// # Memory
//
// About 170 bytes an entry plus its name, 4 bytes a data block, and 2×blockSize for each of
// 4×Jobs+1 MiB/blockSize+4 blocks in flight: 5 MiB with the defaults on two cores. Packing a Linux root
// of 16,000 files takes 28 MiB in all, 1,000,000 small files some 230 MiB.
//
// # Limits
//
// What the format cannot hold is refused: more than 65535 different ids, names of more
// than 256 bytes (Linux opens those of 255), symbolic links of more than 4095, xattrs outside user.,
// trusted. and security. (POSIX ACLs among them) or with values of more than 64 KiB, device numbers
// beyond 4095:1048575. Times are whole seconds from 1970 to 2106.
package squashfs
