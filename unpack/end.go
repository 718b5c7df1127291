package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// trailer passes on the two zero blocks that end an archive and the zeros behind them, and leaves out pixz's index.
// Nothing else may follow.
func (c *copier) trailer() error {
	b, err := c.w.need(2 * blockSize)
	if errors.Is(err, io.EOF) {
		return damage(errTruncated, c.w.off()+int64(len(b)), "the second end-of-archive block is missing")
	}
	if err != nil {
		return err
	}
	if !isZero(b[blockSize:]) {
		return damage(errCorrupt, c.w.off(), "a single zero block between members")
	}
	c.w.pos += 2 * blockSize
	for {
		rest := c.w.buf[c.w.pos:c.w.end]
		zeros := len(rest) - len(bytes.TrimLeft(rest, "\x00"))
		c.w.pos += zeros
		c.w.keep()
		if zeros < len(rest) {
			return c.behind()
		}
		if c.w.eof {
			break
		}
		if err := c.w.more(); err != nil {
			return err
		}
	}
	if c.w.off()%blockSize != 0 {
		return damage(errTruncated, c.w.off(), "its length is no multiple of 512")
	}
	return c.w.flush()
}

// behind judges what begins where the zeros behind the archive end: see [pixzIndex].
func (c *copier) behind() error {
	size := c.w.off()
	b, err := c.w.need(len(pixzMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if size%blockSize != 0 || string(b) != pixzMagic {
		return fmt.Errorf("tar stream %w: something other than zeros follows the end of the archive, at byte %d; "+
			"one reader of tar ignores it and the next one reads on", errHostile, size)
	}
	c.w.pos += len(pixzMagic)
	x := pixzIndex{size: uint64(size)}
	for {
		if err := x.add(c.w.buf[c.w.pos:c.w.end]); err != nil {
			return damage(errCorrupt, size, "the file index of pixz there "+err.Error())
		}
		c.w.pos = c.w.end
		if err := c.w.drop(); err != nil {
			return err
		}
		if c.w.eof {
			break
		}
		if err := c.w.more(); err != nil {
			return err
		}
	}
	if !x.ended {
		return damage(errTruncated, c.w.off(), fmt.Sprintf("it ends within the file index of pixz that begins at byte %d", size))
	}
	c.sum.index = true
	return nil
}
