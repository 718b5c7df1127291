package unpack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"xtoo/layers"
)

// CopyOptions are options of [Copy]. The zero value copies everything.
type CopyOptions struct {
	// Exclude names what is left out: patterns for absolute paths ("/usr/src/linux-*"). A pattern that
	// matches a member excludes it and everything below it. *, ? and [...] match within one component,
	// names that begin with a dot as well; ** between slashes stands for any number of components.
	// A pattern that leads through a symbolic link of the archive (/lib/modules, where lib is a link to usr/lib) is
	// good for what it leads to as well.
	Exclude []string

	// Reopen returns the same stream again, from its start. It is called only if a hard link is kept
	// whose target is excluded, to take the contents from there; without it, such a link is an error.
	// Copy closes what it returns.
	Reopen func(context.Context) (io.ReadCloser, error)

	// limits bound what the stream may hold.
	limits layers.Bounds
}

// Summary is what [Copy] saw.
type Summary struct {
	Newest  time.Time // latest modification time of a member that was kept; zero without members
	Latest  string    // the first member of that time, as it is named there
	Entries int64     // members kept
	Bytes   int64     // written

	Excluded      int64 // members left out
	excludedBytes int64 // of the stream, headers included
	relinked      int64 // hard links to excluded members, now files or links to another name

	// UnusedExcludes are the exclude patterns that matched nothing, in the order given.
	UnusedExcludes []string

	// LateExcludes are patterns that should have been among Exclude: symbolic links came behind what they lead to.
	// If there are any, what was written holds members that were to be left out: copy again, with them.
	LateExcludes []string

	// Machines counts the ELF programs and libraries that were kept; StandardMachines only those that
	// lie where a system keeps what it runs itself (bin, sbin, lib* of / and /usr).
	Machines, StandardMachines map[Machine]int

	// Index says that pixz's index of the archive followed it. It is not among what was written.
	index bool
}

// Copy copies a tar stream from src to dst as it is, byte by byte, less the excluded members, up to and with the two
// zero blocks that end the archive and all zeros behind them. The file index that pixz puts behind an archive is not
// copied; anything else there is refused. So what is written does not depend on how the archive was packed.
//
// It refuses, with an error that names the member, what should be in no stage3:
// absolute names, "..", names of whiteouts, duplicates, members below something that is no directory,
// hard links to what is not there, impossible numbers, unknown kinds, and headers that can be read in
// two ways. A stream that ends too early is an error, as is one that makes no sense, or is no tar
// ([ErrNotTar]); errors of src and dst are passed on. A malformed pattern is an error before
// anything is read. Excluded members are checked like all others.
//
// A hard link whose target is excluded becomes the file, with the target's contents and metadata under
// the link's name; further links to that target become links to the first. Global headers are kept.
//
// After an error, dst holds part of the stream and is good for nothing. Copy closes neither src nor dst.
func Copy(ctx context.Context, dst io.Writer, src io.Reader, o CopyOptions) (Summary, error) {
	patterns, err := compileExclude(o.Exclude)
	if err != nil {
		return Summary{}, err
	}
	limits := o.limits.WithDefaults()
	limits.FileSize = min(limits.FileSize, math.MaxInt64-blockSize)
	out := &countWriter{w: dst}
	c := &copier{
		ctx: ctx, limits: limits, tally: layers.Tally{Bounds: limits}, patterns: patterns, links: make(map[string]string),
		w: newWindow(ctx, out, src, limits.Bytes), paths: newPaths(),
		relink: relinker{out: out, reopen: o.Reopen, groups: make(map[key]*linkGroup)},
		sum:    Summary{Machines: make(map[Machine]int), StandardMachines: make(map[Machine]int)},
	}
	err = errors.Join(c.blame(c.run()), c.relink.close())
	if err != nil {
		return Summary{}, err
	}
	c.sum.Bytes = out.n
	for _, p := range c.patterns {
		if !p.used && p.of == nil {
			c.sum.UnusedExcludes = append(c.sum.UnusedExcludes, p.text)
		}
	}
	return c.sum, nil
}

type copier struct {
	ctx      context.Context
	limits   layers.Bounds
	tally    layers.Tally
	patterns []*pattern
	links    map[string]string // symbolic links and their targets, where there are patterns
	w        *window
	paths    *paths
	relink   relinker
	sum      Summary
	members  int64
}

func (c *copier) run() error {
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		m, err := nextMember(c.w)
		if errors.Is(err, errTrailer) {
			return c.trailer()
		}
		if err != nil {
			return err
		}
		if err := c.member(m); err != nil {
			return err
		}
	}
}

// maxBlame is how much more of a stream is read, in bytes, to find out whether it is damaged.
const maxBlame = 1 << 30

// blame finds the better reason for an error: decompressors verify data after they have given it out,
// so that damage to a file may first show as a member that makes no sense.
func (c *copier) blame(err error) error {
	if c.w.failed || !errors.Is(err, errHostile) && !errors.Is(err, errCorrupt) && !errors.Is(err, ErrNotTar) {
		return err
	}
	for range maxBlame / windowSize {
		c.w.out, c.w.head, c.w.pos, c.w.end = 0, 0, 0, 0
		if c.w.eof {
			break
		}
		for c.w.end < len(c.w.buf) && !c.w.eof {
			ferr := c.w.fill()
			if errors.Is(ferr, errCorrupt) || errors.Is(ferr, errTruncated) || c.ctx.Err() != nil {
				return ferr
			}
			if ferr != nil {
				return err
			}
		}
	}
	return err
}

// member checks one member, decides about it, and passes it on.
func (c *copier) member(m member) error {
	if c.members++; c.members > c.limits.Members {
		return fmt.Errorf("tar stream %w: it has more than %d members", errHostile, c.limits.Members)
	}
	if m.global {
		c.w.keep()
		return nil
	}
	refused := func(err error) error {
		return fmt.Errorf("tar member %q %w: %w", m.hdr.Name, errHostile, err)
	}
	e, k, err := checkMember(m, c.limits)
	if err == nil {
		err = c.tally.Add(&e)
	}
	if err != nil {
		return refused(err)
	}
	clean := e.Path
	lost := false // a hard link to what is not in the output
	if e.Kind == layers.HardLink {
		if k, lost, err = c.paths.target(e.Target); err != nil {
			return refused(err)
		}
	}
	drop := excluded(c.patterns, clean)
	if drop {
		k |= kindExcluded
	}
	if err := c.paths.add(clean, k); err != nil {
		return refused(err)
	}
	switch {
	case drop:
		return c.drop(m, c.paths.key(clean), c.paths.key(e.Target))
	case lost:
		return c.restore(m, clean, c.paths.key(e.Target))
	}
	if m.hdr.Typeflag == tar.TypeSymlink {
		c.alias(clean, m.hdr.Linkname)
	}
	c.w.keep()
	c.count(m.hdr)
	if m.hdr.Typeflag == tar.TypeReg && !m.sparse && m.size > 0 {
		head, err := c.w.need(int(min(m.size, elfHead)))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		c.machine(clean, head)
	}
	return c.pass(m, true)
}

func (c *copier) pass(m member, keep bool) error {
	err := c.w.pass(m.padded(), keep)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("tar member %q: %w", m.hdr.Name, truncated(c.w, m.off))
	}
	return err
}

func (c *copier) count(h *tar.Header) {
	c.sum.Entries++
	if t := h.ModTime.UTC(); c.sum.Newest.IsZero() || t.After(c.sum.Newest) {
		c.sum.Newest, c.sum.Latest = t, h.Name
	}
}

func (c *copier) machine(clean string, head []byte) {
	if mach, ok := readMachine(head); ok {
		c.sum.Machines[mach]++
		if isStandardPlace(clean) {
			c.sum.StandardMachines[mach]++
		}
	}
}

// drop leaves a member out, and remembers what links to it may need.
func (c *copier) drop(m member, id, target key) error {
	switch m.hdr.Typeflag {
	case tar.TypeDir:
	case tar.TypeLink:
		c.relink.link(id, target, m.hdr.Linkname)
	default:
		c.relink.groups[id] = &linkGroup{name: m.hdr.Name, kind: m.hdr.Typeflag, off: m.off}
	}
	start := m.off
	if err := c.w.drop(); err != nil {
		return err
	}
	if err := c.pass(m, false); err != nil {
		return err
	}
	c.sum.Excluded++
	c.sum.excludedBytes += c.w.off() - start
	return nil
}

// restore puts something with contents where a hard link to an excluded member stands.
func (c *copier) restore(m member, clean string, target key) error {
	if err := c.w.drop(); err != nil { // all that precedes the link is written with it
		return err
	}
	hdr, head, err := c.relink.write(c.ctx, m.hdr, target)
	if err != nil {
		return fmt.Errorf("tar member %q, a hard link to the excluded %q: %w", m.hdr.Name, m.hdr.Linkname, err)
	}
	c.sum.relinked++
	c.count(hdr)
	c.machine(clean, head)
	return nil
}

// countWriter counts what is written.
type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
