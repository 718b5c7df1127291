package main

import (
	"context"
	"log/slog"

	"xtoo/internal/engine"
	"xtoo/internal/engine/local"
	"xtoo/internal/engine/outputs"
	"xtoo/internal/engine/sources"
	"xtoo/layers/store"
	"xtoo/projects"
)

// engineOptions fills the sockets of the engine: what roots start from, what executes, and what is written. The caller
// calls end when all is done.
func (o *buildOptions) engineOptions(g *globals, events engine.Sink) (opt engine.Options, end func(), err error) {
	log := g.logger()
	opt = engine.Options{
		Log: log, Events: events, Jobs: o.jobs, NoCache: o.noCache, Twice: o.twice, RequireExact: o.requireExact, Compression: o.parsed.compression, Epoch: o.parsed.epoch,
	}
	if opt.Store, err = g.openStore(); err != nil {
		return opt, nil, err
	}
	runner := local.New(local.Options{Store: opt.Store, Emulators: o.qemu, Log: log, Events: events})
	opt.Runner = runner
	opt.Sources = newSources(opt.Store, runner, o.jobs, log)
	claims := outputs.Claims{}
	place := func(path string) outputs.Place {
		return outputs.Place{Store: opt.Store, Path: path, Force: o.force, Claims: claims}
	}
	opt.Outputs = []engine.Output{
		&outputs.SIF{Place: place(o.sif), Compression: o.sifCompression, Jobs: o.jobs, Log: log, Events: events},
		&outputs.Stage4{Place: place(o.stage4), Jobs: o.jobs, Log: log, Events: events},
		&outputs.Squashfs{Place: place(o.squashfs), Compression: o.sifCompression, Jobs: o.jobs, Log: log, Events: events},
		&outputs.Rootfs{Place: place(o.rootfs), Log: log, Events: events},
		&outputs.OCIArchive{Place: place(o.ociArchive)},
		&outputs.DockerArchive{Place: place(o.dockerArchive)},
	}
	if o.ociLayout != "" {
		// Behind the files: they may be refused, and then nothing else shall have changed.
		opt.Outputs = append(opt.Outputs, &outputs.Layout{Store: opt.Store, Dir: o.ociLayout, Log: log})
	}
	return opt, runner.Close, nil
}

// newSources are the sources by the kinds of bases.
func newSources(s *store.Store, runner *local.Runner, jobs int, log *slog.Logger) map[projects.BaseKind]engine.Source {
	image := &sources.Image{Store: s}
	stage3 := &sources.Stage3{Store: s, Jobs: jobs, Log: log, Unpack: func(ctx context.Context) (sources.Unpacking, error) {
		u, err := runner.Unpack(ctx)
		if err != nil {
			return nil, err
		}
		return u, nil
	}}
	return map[projects.BaseKind]engine.Source{
		projects.BaseStage3: stage3, projects.BaseScratch: sources.Scratch{},
		projects.BaseOCI: image, projects.BaseOCIArchive: image, projects.BaseDockerArchive: image,
	}
}
