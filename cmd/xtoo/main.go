// Command xtoo turns Funtoo and Gentoo stage3 tarballs into container images, as any user.
//
// The rules of its messages: errors begin with `xtoo: error:` and say what failed, where, and (where there is
// something to do) are followed by `xtoo: hint:`; lower case, no full stop, one line where one line does.
// They go to standard error; what a command was asked for goes to standard output. --json puts JSON on
// standard output and leaves the messages as they are.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"xtoo/chroot"
	"xtoo/internal/engine/local"
)

// version is set by the linker.
var version = "dev"

func main() {
	local.RegisterStages()
	chroot.Main() // does not return where this process is a stage of another xtoo
	os.Exit(xtoo())
}

// xtoo runs the program and returns its exit code. Tests call it as a command.
func xtoo() int {
	limitMemory()
	ctx, stop := untilSignal()
	defer stop()
	root := newRootCommand(os.Stdout, os.Stderr)
	err := root.ExecuteContext(ctx)
	return report(ctx, os.Stderr, err)
}

// untilSignal is a context that the first Ctrl-C ends. The second finds the default action: it ends the process at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// endingSignals are the signals that end a build, less those that xtoo was started to ignore (by nohup, or in the
// background of a shell).
func endingSignals() []os.Signal {
	signals := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// memoryLimit is what the garbage collector aims to stay below, in bytes. A million entries in a SIF file need 200 MB; else the working set is far smaller;
// without it, the collector lets buffers pile up to twice of that.
const memoryLimit = 240 << 20

// firstPercent lets the garbage collector begin at a heap of 24 MB: a build with nothing to do, and most other commands,
// end before that.
const firstPercent = 600

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(firstPercent)
		// What nobody refers to is found by the first collection: from then on the heap is kept small. It is no tiny object:
		// those share a block, and live as long as any of them.
		runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, 100)
	}
}
