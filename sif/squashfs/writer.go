package squashfs

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Writer writes one filesystem. It is used by one goroutine.
//
// Every Writer must be ended with Close or Abort, which end its goroutines.
type Writer struct {
	o     Options
	out   Output
	comp  compressor // for metadata
	pipe  *pipeline
	tree  *tree
	files *contents
	ids   idTable

	xattrs   *xattrTable
	implicit inode // what a directory is that no entry describes
	ended    bool
	err      error // what made the output useless
}

// NewWriter starts a filesystem in out. What out holds is undefined until Close has returned without an
// error.
func NewWriter(out Output, o Options) (*Writer, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &Writer{o: o, out: out}
	if w.comp, err = newCompressor(o); err != nil {
		return nil, err
	}
	w.xattrs = newXattrTable(w.comp)
	zero, err := w.ids.index(0)
	if err != nil {
		return nil, err
	}
	w.implicit = inode{
		mode: modeDir | 0o755, uid: zero, gid: zero, nlink: 1, xattr: noXattr,
		mtime: unixTime(o.ModTime), state: stateImplicit,
	}
	w.tree = newTree(w.implicit)
	start, err := w.writeOptions()
	if err != nil {
		return nil, err
	}
	if w.pipe, err = newPipeline(out, start, o); err != nil {
		return nil, err
	}
	w.files = newContents(w.pipe, o.blockSize)
	return w, nil
}

// writeOptions writes the compression options and returns the position behind them.
func (w *Writer) writeOptions() (uint64, error) {
	_, opts := compressionOptions(w.o)
	if opts == nil {
		return superblockSize, nil
	}
	b := append(le.AppendUint16(nil, uint16(len(opts))|metadataRaw), opts...)
	if _, err := w.out.WriteAt(b, superblockSize); err != nil {
		return 0, fmt.Errorf("write squashfs compression options: %w", err)
	}
	return superblockSize + uint64(len(b)), nil
}

// Add adds an entry. For a regular file of Size > 0 it reads exactly Size bytes from data, which is
// otherwise not used and may be nil; less is an error.
//
// Entries come in any order. A directory that is missing above an entry is made: owned by 0:0, mode
// 0755, with the time of [Options].ModTime, until an entry for it is added. Anything else that is added
// twice fails with fs.ErrExist.
//
// An entry that is refused leaves the Writer as it was. When reading data or writing the output failed,
// all further calls fail with the same error.
func (w *Writer) Add(e Entry, data io.Reader) error {
	if err := w.ready(); err != nil {
		return err
	}
	if err := w.add(&e, data); err != nil {
		return fmt.Errorf("squashfs add %q: %w", e.Path, err)
	}
	return nil
}

func (w *Writer) add(e *Entry, data io.Reader) error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	described, ok, err := w.tree.free(e.Path, e.Mode&modeType == modeDir)
	if err != nil {
		return err
	}
	in, err := w.inode(e)
	if err != nil {
		return err
	}
	if ok {
		*w.tree.inodeOf(described) = in
		return nil
	}
	switch e.Mode & modeType {
	case modeSymlink:
		in.data = w.tree.names.put(e.Target)
	case modeFile:
		if e.Size == 0 {
			break
		}
		if data == nil {
			return errors.New("no data given")
		}
		c, err := w.files.add(data, uint64(e.Size))
		if err != nil {
			return w.fail(err)
		}
		in.data = uint64(c) + 1
	}
	i, p, err := w.tree.newInode()
	if err != nil {
		return w.fail(err)
	}
	*p = in
	if err := w.tree.add(e.Path, i, w.implicit); err != nil {
		return w.fail(err)
	}
	return nil
}

// fail remembers an error after which the output is useless.
func (w *Writer) fail(err error) error {
	w.err = err
	return err
}

func (w *Writer) ready() error {
	switch {
	case w.ended:
		return errClosed
	case w.err != nil:
		return fmt.Errorf("squashfs writer failed before: %w", w.err)
	}
	return nil
}

// Abort ends the Writer without finishing the filesystem; what is in the output then is useless. It does
// nothing after Close or Abort, so it can be deferred.
func (w *Writer) Abort() {
	if !w.ended {
		w.ended = true
		// The error belongs to an output that nobody wants any more.
		_, _, _ = w.pipe.wait()
	}
}

// Close finishes the filesystem and returns its size in bytes, a multiple of 4096. It does not close or
// sync the output. After an error what is in the output is useless.
func (w *Writer) Close() (size int64, err error) {
	if err := w.ready(); err != nil {
		w.Abort()
		return 0, err
	}
	w.ended = true
	w.files.flush()
	pos, high, err := w.pipe.wait()
	if err != nil {
		return 0, err
	}
	w.files.index, w.xattrs.index = index{}, index{}
	a := &appender{out: w.out, pos: pos}
	sb, err := w.writeTables(a)
	if err != nil {
		return 0, err
	}
	if _, err := a.Write(make([]byte, -a.pos%padding)); err != nil {
		return 0, err
	}
	if err := a.flush(); err != nil {
		return 0, err
	}
	if high > a.pos {
		if err := w.out.Truncate(int64(a.pos)); err != nil {
			return 0, fmt.Errorf("cut off squashfs output: %w", err)
		}
	}
	if _, err := w.out.WriteAt(sb.encode(), 0); err != nil {
		return 0, fmt.Errorf("write squashfs superblock: %w", err)
	}
	return int64(a.pos), nil
}

// writeTables writes everything behind the data and returns the superblock.
func (w *Writer) writeTables(a *appender) (*superblock, error) {
	id, opts := compressionOptions(w.o)
	sb := &superblock{
		time: unixTime(w.o.ModTime), blockSize: uint32(w.o.blockSize), fragments: w.files.fragments.n,
		compression: id, blockLog: uint16(bits.TrailingZeros(uint(w.o.blockSize))), ids: uint16(len(w.ids.ids)),
		flags: flagDuplicates | flagExportable | flagAlwaysFragments, inodes: w.tree.inodes.n,
	}
	if sb.fragments == 0 {
		sb.flags = sb.flags&^flagAlwaysFragments | flagNoFragments
	}
	if w.xattrs.sets.n == 0 {
		sb.flags |= flagNoXattrs
	}
	if opts != nil {
		sb.flags |= flagOptions
	}
	if err := w.writeInodes(a, sb); err != nil {
		return nil, err
	}
	var err error
	if sb.fragmentTable, err = writeTable(a, w.comp, int(sb.fragments), 16, func(b []byte, i int) []byte {
		f := w.files.fragments.at(uint32(i))
		b = le.AppendUint64(b, f.start)
		return le.AppendUint64(b, uint64(f.size))
	}, nil); err != nil {
		return nil, err
	}
	refs := make([]uint64, sb.inodes)
	for i := range sb.inodes {
		in := w.tree.inodes.at(i)
		refs[in.number-1] = in.ref
	}
	if sb.exportTable, err = writeTable(a, w.comp, len(refs), 8, func(b []byte, i int) []byte {
		return le.AppendUint64(b, refs[i])
	}, nil); err != nil {
		return nil, err
	}
	if sb.idTable, err = writeTable(a, w.comp, len(w.ids.ids), 4, func(b []byte, i int) []byte {
		return le.AppendUint32(b, w.ids.ids[i])
	}, nil); err != nil {
		return nil, err
	}
	if sb.xattrTable, err = w.xattrs.write(a, w.comp); err != nil {
		return nil, err
	}
	sb.used = a.pos
	return sb, nil
}
