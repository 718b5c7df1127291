package squashfs

import (
	"context"
	"fmt"
	"io"
)

// Verify reads everything there is and checks that it agrees: every block, listing, directory index
// and xattr can be read, inode numbers are used once and without gaps, link counts are right,
// directories know their parents, and the export table leads to every inode. It looks at ctx before
// each entry, and takes some 100 bytes of memory an inode that is really there.
func (r *Reader) Verify(ctx context.Context) error {
	type count struct{ names, links uint32 }
	refs := map[uint32]uint64{}
	links := map[uint32]count{}
	var parents []*File // the directories above the current file
	buf := make([]byte, 64<<10)
	err := r.Walk(func(f *File) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		for len(parents) > 0 && !isBelow(f.Path, parents[len(parents)-1].Path) {
			parents = parents[:len(parents)-1]
		}
		c := links[f.Number]
		if old, ok := refs[f.Number]; ok && old != f.ref {
			return formatError("%q: number %d is another's", f.Path, f.Number)
		}
		first := c.links == 0
		refs[f.Number] = f.ref
		if f.typ == typeDir {
			if len(parents) > 0 {
				p := parents[len(parents)-1]
				if f.parent != p.Number {
					return formatError("%q: parent %d, not %d", f.Path, f.parent, p.Number)
				}
				pc := links[p.Number]
				pc.names++
				links[p.Number] = pc
			}
			c.names += 2
			parents = append(parents, f)
			if err := f.checkIndex(); err != nil {
				return fmt.Errorf("squashfs directory %q: %w", f.Path, err)
			}
		} else {
			c.names++
		}
		c.links = f.Links
		links[f.Number] = c
		if !first {
			return nil
		}
		if _, err := f.ReadXattrs(); err != nil {
			return err
		}
		if err := f.checkExport(); err != nil {
			return err
		}
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f.Data()}, buf)
		return err
	})
	if err != nil {
		return err
	}
	if uint64(len(refs)) != uint64(r.sb.inodes) {
		return formatError("%d inodes, not %d", len(refs), r.sb.inodes)
	}
	for number, c := range links {
		if c.names != c.links {
			return formatError("inode %d: %d links, not %d", number, c.names, c.links)
		}
	}
	return nil
}

// isBelow says whether path is in the directory dir or deeper.
func isBelow(path, dir string) bool {
	return dir == "." || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// checkExport checks that the export table leads to the file.
func (f *File) checkExport() error {
	if f.r.sb.exportTable == noTable {
		return nil
	}
	var b [8]byte
	if err := f.r.record(b[:], f.r.sb.exportTable, uint64(f.Number-1)); err != nil {
		return err
	}
	if ref := le.Uint64(b[:]); ref != f.ref {
		return formatError("%q: export table says %#x for inode %d, which is at %#x", f.Path, ref, f.Number, f.ref)
	}
	return nil
}

// checkIndex checks that each entry of a directory's index leads to the header of the name it gives.
func (f *File) checkIndex() error {
	return f.eachIndex(func(size uint64, block uint32, first []byte) (bool, error) {
		if size > f.dirSize {
			return false, formatError("index beyond the listing")
		}
		d, err := f.list()
		if err != nil {
			return false, err
		}
		d.left = f.dirSize - size
		if err := d.c.seek(f.r.sb.dirTable+uint64(block), int((size+uint64(f.dirOffset))%metadataSize)); err != nil {
			return false, err
		}
		e, err := d.next()
		if err != nil {
			return false, err
		}
		if e == nil || string(e.name) != string(first) {
			return false, formatError("index for %q leads elsewhere", first)
		}
		return true, nil
	})
}
