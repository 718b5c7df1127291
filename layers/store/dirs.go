package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// dirsVersion changes when the same layer would be unpacked into another directory: those of earlier programs are then
// not found, and a cleaning removes them.
const dirsVersion = "5"

// Dirs are the layer directories of one map of ids. What a file's owner is on the disk depends on the map, and so
// does what is recorded beside it: a directory means a layer under the map alone that it was made under.
type Dirs struct {
	s   *Store
	ids string // what the map is, in words
	dir string // that holds them
}

// Dirs returns the layer directories of a map of ids. ids is any text that says which, the same for the same map.
func (s *Store) Dirs(ids string) *Dirs {
	sum := sha256.Sum256([]byte(dirsVersion + " " + ids))
	return &Dirs{s: s, ids: ids, dir: filepath.Join(s.layersDir(), hex.EncodeToString(sum[:6]))}
}

// idsFile stands beside the layer directories of one map, and says for people which.
const idsFile = "ids"

// A made stands beside each layer directory. Its name is freshFile until the directory is known to be on the disk.
const (
	freshFile = "fresh"
	madeFile  = "made"
)

// made is what is known of a layer directory since it was made.
type made struct {
	// Boot of the machine that it was made in. A fresh directory is good in that boot alone.
	Boot  string          `json:"boot"`
	Layer digest.Digest   `json:"layer"`
	Below []digest.Digest `json:"below,omitempty"`
	Alone bool            `json:"alone,omitempty"`
	Records
	Seal []sealed `json:"seal"`
}

// Records say what of a layer directory only records tell.
type Records struct {
	// Recorded: owners or devices, which scripts see only where records are read back to them.
	Recorded bool `json:"recorded,omitempty"`
	// Steady: the script that made it, if one did, stayed user 0, and no directory in it passes on a group which only a record tells.
	Steady bool `json:"steady,omitempty"`
	// Lists: there may be default access control lists among it.
	Lists bool `json:"lists,omitempty"`
}

// A LayerDir says which layer a directory is of.
type LayerDir struct {
	// Name of the directory: the layer's diff id, or another digest where the directory depends on what lies below.
	Name  digest.Digest
	Layer digest.Digest // diff id
	// Below are the names of the directories that it lies on, the topmost first, if it depends on them.
	Below []digest.Digest
	// Alone: there is nothing below it.
	Alone bool
	Records
}

// Path is where the directory of that name is or would be.
func (d *Dirs) Path(name digest.Digest) string {
	return filepath.Join(d.dir, name.Encoded(), layerRoot)
}

// Has says whether the directory of that name is there and still what was made: known to have reached the disk, and, as
// far as a few looks can tell, not touched since. Files that were given to others, or brought back from a copy, show by
// the times that the kernel keeps for changes of inodes, which nobody can set. What a changed file deeper in it says only
// a comparison with its layer can tell.
func (d *Dirs) Has(name digest.Digest) bool {
	_, ok, _ := d.Look(name)
	return ok
}

// Look is [Dirs.Has], and says what the directory is. changed is what somebody has changed since it was made; empty where it is for another reason that
// there is no directory to be trusted.
func (d *Dirs) Look(name digest.Digest) (l LayerDir, ok bool, changed string) {
	m, err := d.s.readMade(filepath.Dir(d.Path(name)))
	if err != nil {
		return l, false, ""
	}
	changed = m.broken(d.Path(name))
	return LayerDir{Name: name, Layer: m.Layer, Below: m.Below, Alone: m.Alone, Records: m.Records}, changed == "", changed
}

// errOtherBoot says that a directory may not have reached the disk before the machine went down.
var errOtherBoot = errors.New("made in another boot, and not known to be on the disk")

func (s *Store) readMade(holder string) (made, error) {
	var m made
	data, err := readSmall(filepath.Join(holder, madeFile))
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		data, err = readSmall(filepath.Join(holder, freshFile))
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && fresh && m.Boot != s.boot() {
		err = errOtherBoot
	}
	return m, err
}

// Adopt makes the directory holder, which must hold nothing but `fs`, the directory of a layer. One that is there already
// and that [Dirs.Has] trusts stays, and holder is left where it is: the caller removes it. One that is not trusted makes
// room, and goes with this process's work in progress.
func (d *Dirs) Adopt(holder string, l LayerDir) error {
	seal, err := sealOf(DirIn(holder))
	if err != nil {
		return err
	}
	data, err := json.Marshal(made{Boot: d.s.boot(), Layer: l.Layer, Below: l.Below, Alone: l.Alone, Records: l.Records, Seal: seal})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(holder, freshFile), data, 0o600); err != nil {
		return err
	}
	if err := d.make(); err != nil {
		return err
	}
	return d.place(holder, l.Name)
}

// place gives a directory that is complete its name.
func (d *Dirs) place(holder string, name digest.Digest) error {
	at := filepath.Dir(d.Path(name))
	for {
		err := os.Rename(holder, at)
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
		if d.Has(name) {
			return nil
		}
		if err := d.s.setAside(at); err != nil {
			return err
		}
	}
}

// Replace is [Dirs.Adopt] where the directory that is there is known to be wrong: it makes room in any case.
func (d *Dirs) Replace(holder string, l LayerDir) error {
	if err := d.Discard(l.Name); err != nil {
		return err
	}
	return d.Adopt(holder, l)
}

// setAside moves a layer directory into this process's work in progress. Whoever has it mounted goes on seeing it. One
// that somebody else has moved is no error.
func (s *Store) setAside(path string) error {
	aside, err := s.MakeTemp("stale")
	if err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(aside, "layer")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set a layer directory aside: %w", err)
	}
	return nil
}

// make makes what holds the directories.
func (d *Dirs) make() error {
	if err := os.Mkdir(d.dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("make the layer directories of a map of ids: %w", err)
	}
	return os.WriteFile(filepath.Join(d.dir, idsFile), []byte(d.ids+"\n"), 0o600)
}

// A Listed is a layer directory that is there.
type Listed struct {
	LayerDir
	Trusted bool // so far as [Dirs.Has] goes
}

// List returns the directories that are there, those first that others lie on. What a directory is of that was not
// finished, or has lost what stood beside it, nobody knows: these are without a Layer.
func (d *Dirs) List() ([]Listed, error) {
	entries, err := readDir(d.dir)
	var all []Listed
	for _, e := range entries {
		if !e.IsDir() || !hexName().MatchString(e.Name()) {
			continue
		}
		one := Listed{LayerDir: LayerDir{Name: hexDigest(e)}}
		m, err := d.s.readMade(filepath.Join(d.dir, e.Name()))
		if err == nil || errors.Is(err, errOtherBoot) {
			one.Layer, one.Below, one.Alone, one.Records = m.Layer, m.Below, m.Alone, m.Records
			one.Trusted = err == nil && m.broken(d.Path(one.Name)) == ""
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Listed) int { return len(a.Below) - len(b.Below) })
	return all, err
}

// Discard makes room where a directory is that is good for nothing. It goes with this process's work in progress.
func (d *Dirs) Discard(name digest.Digest) error { return d.s.setAside(filepath.Dir(d.Path(name))) }

// holders lists the directories beside which a [made] stands, of all maps.
func (s *Store) holders() ([]string, error) {
	groups, err := readDir(s.layersDir())
	if err != nil {
		return nil, err
	}
	var all []string
	for _, g := range groups {
		if !g.IsDir() || !groupName().MatchString(g.Name()) {
			continue
		}
		dir := filepath.Join(s.layersDir(), g.Name())
		entries, err := readDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && hexName().MatchString(e.Name()) {
				all = append(all, filepath.Join(dir, e.Name()))
			}
		}
	}
	return all, nil
}
