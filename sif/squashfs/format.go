package squashfs

import "encoding/binary"

// Constants of the format (kernel: fs/squashfs/squashfs_fs.h).
const (
	magic          = 0x73717368
	superblockSize = 96
	metadataSize   = 8192    // bytes in an uncompressed metadata block
	metadataRaw    = 1 << 15 // in a metadata block's size: stored as it is
	dataRaw        = 1 << 24 // in a data block's size: stored as it is
	noFragment     = 0xFFFFFFFF
	noXattr        = 0xFFFFFFFF
	noTable        = 0xFFFFFFFFFFFFFFFF
	maxName        = 256  // bytes in a name
	maxTarget      = 4095 // bytes in a symbolic link: the kernel refuses more than a page
	maxIDs         = 65535
	maxXattrValue  = 65536 // bytes: XATTR_SIZE_MAX of Linux
	maxXattrName   = 255   // bytes with the prefix: XATTR_NAME_MAX of Linux
	maxMajor       = 1<<12 - 1
	maxMinor       = 1<<20 - 1
	minBlockSize   = 4096
	maxBlockSize   = 1 << 20
	padding        = 4096 // the end is padded to a multiple of it, so that the file can be a block device
)

// Compression ids of the superblock.
const (
	idGzip = 1
	idXz   = 4
	idZstd = 6
)

// Superblock flags. Those that say how something is stored are advice; readers look at each block.
const (
	flagNoFragments     = 0x0010
	flagAlwaysFragments = 0x0020 // tails of files go into fragments too
	flagDuplicates      = 0x0040 // duplicates were looked for
	flagExportable      = 0x0080
	flagNoXattrs        = 0x0200
	flagOptions         = 0x0400 // compression options follow the superblock
)

// Inode types ("3.3 Inodes"). The extended type of each is 7 higher.
const (
	typeDir = iota + 1
	typeFile
	typeSymlink
	typeBlock
	typeChar
	typeFifo
	typeSocket
	extended = 7
)

// File type bits of a mode, as in stat(2) on Linux.
const (
	modeType    = 0o170000
	modeSocket  = 0o140000
	modeSymlink = 0o120000
	modeFile    = 0o100000
	modeBlock   = 0o060000
	modeDir     = 0o040000
	modeChar    = 0o020000
	modeFifo    = 0o010000
	modePerm    = 0o007777
)

// typeOf returns the basic inode type of a mode, 0 for none.
func typeOf(mode uint32) uint16 {
	switch mode & modeType {
	case modeDir:
		return typeDir
	case modeFile:
		return typeFile
	case modeSymlink:
		return typeSymlink
	case modeBlock:
		return typeBlock
	case modeChar:
		return typeChar
	case modeFifo:
		return typeFifo
	case modeSocket:
		return typeSocket
	}
	return 0
}

// modeOf returns the type bits of a basic inode type.
func modeOf(typ uint16) uint32 {
	return [...]uint32{0, modeDir, modeFile, modeSymlink, modeBlock, modeChar, modeFifo, modeSocket}[typ]
}

var le = binary.LittleEndian

// superblock is the first 96 bytes; the package comment draws it.
type superblock struct {
	inodes, time, blockSize, fragments        uint32
	compression, blockLog, flags, ids         uint16
	root, used                                uint64
	idTable, xattrTable, inodeTable, dirTable uint64
	fragmentTable, exportTable                uint64
}

func (s *superblock) encode() []byte {
	b := make([]byte, 0, superblockSize)
	b = le.AppendUint32(b, magic)
	for _, v := range []uint32{s.inodes, s.time, s.blockSize, s.fragments} {
		b = le.AppendUint32(b, v)
	}
	for _, v := range []uint16{s.compression, s.blockLog, s.flags, s.ids, 4, 0} {
		b = le.AppendUint16(b, v)
	}
	for _, v := range []uint64{s.root, s.used, s.idTable, s.xattrTable, s.inodeTable, s.dirTable, s.fragmentTable, s.exportTable} {
		b = le.AppendUint64(b, v)
	}
	return b
}

// decode reads the fields, checking nothing but magic and version.
func (s *superblock) decode(b *[superblockSize]byte) bool {
	for i, p := range []*uint32{&s.inodes, &s.time, &s.blockSize, &s.fragments} {
		*p = le.Uint32(b[4+4*i:])
	}
	for i, p := range []*uint16{&s.compression, &s.blockLog, &s.flags, &s.ids} {
		*p = le.Uint16(b[20+2*i:])
	}
	for i, p := range []*uint64{&s.root, &s.used, &s.idTable, &s.xattrTable, &s.inodeTable, &s.dirTable, &s.fragmentTable, &s.exportTable} {
		*p = le.Uint64(b[32+8*i:])
	}
	return le.Uint32(b[:]) == magic && le.Uint16(b[28:]) == 4 && le.Uint16(b[30:]) == 0
}

// encodeDevice packs a device number as the kernel's new_encode_dev does.
func encodeDevice(major, minor uint32) uint32 {
	return minor&0xff | major<<8 | minor&^0xff<<12
}

func decodeDevice(d uint32) (major, minor uint32) {
	return d & 0xfff00 >> 8, d&0xff | d>>12&0xfff00
}

// xattrPrefixes are the namespaces that the format knows, by their type.
var xattrPrefixes = [...]string{"user.", "trusted.", "security."}
