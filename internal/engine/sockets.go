package engine

import (
	"context"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// A Source is what roots of some kinds start from. It is asked from several goroutines at once, but for one base once at a time.
type Source interface {
	// Identify names what a base stands for at the moment: the same name, the same layers. It reads as little as it
	// can; reading, which may be nil, is called before a whole file is read for it. It is asked once more when the base
	// has been read, and what it says then must be what was read, if nothing has changed. The empty digest says that there is
	// nothing to be read: Found is content with an empty Material.
	Identify(ctx context.Context, b *projects.Base, reading func()) (digest.Digest, error)
	// Look finds out what Found wants to know, but for the layers. It writes nothing.
	Look(ctx context.Context, b *projects.Base) (Material, error)
	// Read brings the layers into the store. After an error, whole layers may be left there, for a cleaning.
	Read(ctx context.Context, b *projects.Base, r Reading) (Material, error)
	// Found says what the first node of a root is executed on. It reads nothing, so that what is remembered of a base is as
	// good as the base. An error says that the base is not what was declared.
	Found(b *projects.Base, m Material) (Foundation, error)
}

// Reading says how a base is to be read.
type Reading struct {
	// Unpack: a node will be executed on it, so that its layer is worth unpacking while it is read.
	Unpack bool
	// Compression of the blobs that are made for it, on up to Jobs cores.
	Compression layers.Compression
	Jobs        int
	// Warn takes what the user should know. Not nil.
	Warn func(text string)
}

// Material is what a source has found out about a base. It is remembered, so that it is data.
type Material struct {
	// Layers, bottom first; none after a look.
	Layers []Link `json:"layers,omitempty"`
	// Created is the newest time in a stage3, or the creation time of an image.
	Created time.Time `json:"created"`
	// Programs says of a stage3 what its programs are for.
	Programs []Programs `json:"programs,omitempty"`
	// Image is the config of an image from elsewhere.
	Image *v1.Image `json:"image,omitempty"`
	// Extra is what its config has beyond that.
	Extra oci.Extra `json:"extra,omitzero"`
	// Entries and Bytes of a stage3's tar stream.
	Entries int64 `json:"entries,omitempty"`
	Bytes   int64 `json:"bytes,omitempty"`
}

// Programs counts the programs for one kind of machine.
type Programs struct {
	ELF   qemu.ELF `json:"elf"`
	Count int      `json:"count"`
}

// A Link is one layer of an image.
type Link struct {
	DiffID digest.Digest `json:"diff_id"`
	// Dir names its directory in the store. For layers that xtoo captured and for stage3s it is the diff id. A layer
	// from elsewhere need not say what its parent directories look like; then its directory depends on what lies
	// below, and is named by the chain id.
	Dir digest.Digest `json:"dir"`
}

// A Foundation is what the first node of a root is executed on.
type Foundation struct {
	Arch   qemu.Arch
	Layers []Link // bottom first
	// Created is SOURCE_DATE_EPOCH where the user sets none: whole seconds, the rest is cut off, from 1970 to [MaxEpoch].
	Created time.Time
	History []v1.History
	// Undated: the history is xtoo's own, and happened at SOURCE_DATE_EPOCH.
	Undated bool
	Config  v1.ImageConfig
	// Extra is passed on to all images as it is.
	Extra oci.Extra
}

// A Runner executes jobs. It is asked from several goroutines at once.
type Runner interface {
	// Ready says with an error that jobs of an architecture cannot be executed. It is asked before something is read for them.
	Ready(ctx context.Context, a qemu.Arch) error
	// IDs is how many ids of users and groups scripts have here, 0 to below it; 0 where nothing can be executed at all.
	IDs() int64
	// Run executes a job and puts the layer of what it changed into the store. A script that does not end well is no
	// error. When ctx ends, so does the script, and the error is the context's. After an error the store has no layer
	// of it.
	Run(ctx context.Context, j Job, at Site) (Outcome, error)
	// MaxLayers is how many layers a job can have at most; 0: any number.
	MaxLayers() int
	// Remove deletes trees of the store whose files may belong to other ids of the user's range, until ctx ends. Trees
	// that do not exist are no error.
	Remove(ctx context.Context, paths ...string) error
}

// AllIDs is how many ids there are: what a script sees and does with so many, or as if it had them, holds for everybody.
const AllIDs = 1<<32 - 1

// A Site is what a job finds on the machine that executes it, and is not data.
type Site struct {
	// Secret gives the content of a secret by its reference.
	Secret func(ref string) ([]byte, error)
	// Output takes what the script prints, as it comes. An error of it ends the job.
	Output io.Writer
}

// An Outcome is how a job has ended.
type Outcome struct {
	// Exit code of the script, and the signal that killed it (the code is then 128 and the signal's number).
	Exit   int
	Signal int
	// Said describes the signal: "killed".
	Said string
	// Late: the script took longer than its timeout, and was ended.
	Late bool
	// Notes are what the user should know of how it went, in words.
	Notes []string
	// DiffID of the layer; empty if the job changed nothing, or its script did not end well.
	DiffID digest.Digest
	// Entries and Bytes of the layer's tar stream.
	Entries, Bytes int64
	// IDs is how many ids the script had, or [AllIDs].
	IDs int64
	// Inexact says in what the layer may differ from the one that root would make, in words. Empty: in nothing that is known.
	Inexact []string
	// Skipped is what could not become part of a layer, in words.
	Skipped []string
}

// An Output is a kind of thing that a build writes from its images. Its methods are called one after the other.
type Output interface {
	// Check finds what is wrong with the outputs for the projects that were asked for before anything is executed for them.
	Check(asked []*projects.PlannedProject) error
	// Write writes them, and tells done of each that was written or found up to date. After an error those that done
	// was told of stay, and the others are as they were.
	Write(ctx context.Context, images []Image, done func(Written)) error
}

// Written is an output that is there now.
type Written struct {
	Project  string // empty: it is of several
	Platform string // as in events
	Path     string
	Digest   digest.Digest // of a file
	Changed  bool
	Bytes    int64 // size of a file, or what was copied
}

// An Image is what a build has made of a project.
type Image struct {
	Project *projects.PlannedProject
	// Manifest and Config describe the documents, which are in the store as blobs.
	Manifest, Config v1.Descriptor
	// Links are the layers by diff id, bottom first. An image from scratch without any has one layer that is empty, and no link.
	Links []Link
	Arch  qemu.Arch
	// Created is SOURCE_DATE_EPOCH.
	Created time.Time

	layers []v1.Descriptor // the blobs of its layers, bottom first
	// index is set for images of projects with several platforms: the same for all images of a project.
	index *v1.Descriptor
}

// blobs lists what the manifest reaches, config first.
func (i *Image) blobs() []v1.Descriptor {
	return append([]v1.Descriptor{i.Config}, i.layers...)
}
