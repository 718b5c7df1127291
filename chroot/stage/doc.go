// Package stage executes functions of this program where it has more ids than its user: in user namespaces, in other
// processes.
//
// The functions are named with [Register] and [RegisterAlone], before [Main] is called, which must be the first thing that main
// (and TestMain) does: in the program as the user started it Main returns at once, in other processes it never returns.
// A [Client] starts them:
//
//	stage.Register("unpack", func(ctx context.Context, s *stage.Stage) error {
//		var args unpackArgs
//		if err := s.Args(&args); err != nil {
//			return err
//		}
//		return s.Result(unpack(ctx, s.File(0), args))
//	})
//	stage.Main()
//	…
//	c := stage.NewClient(h)
//	defer c.Close()
//	p, err := c.Start(ctx, stage.Command{Stage: "unpack", Args: args, Files: []*os.File{pipe}})
//	err = p.Wait(&result)
//
// # Processes
//
// All of them are this very program, executed again.
//
//	xtoo ── the client
//	 │ ╲╲
//	 │  ╲╲ one socket for each function at work: its request one way; log records and one answer the other
//	 │   ╲╲
//	server ── user and mount namespaces, maps by newuidmap; started with the first call, ended by Close
//	 │     ╲ functions, as goroutines
//	 │
//	process of its own ── for a function that asks for it: user, mount and other namespaces below the server's, the same
//	                      ids; its socket leads to the client, not to the server, which only starts, kills and reaps it
//
// A process of its own executes the program through a read-only mount (or a sealed copy): what it starts may reach the file
// behind /proc/1/exe, but cannot change it.
//
// A new process executes before it has ids, so that no memory needs to be copied for it, and waits for the word that its
// maps are written.
//
// A call costs two messages. The client sends one end of a new socket pair, and the files, over the server's socket
// for calls (SOCK_SEQPACKET, SCM_RIGHTS); everything else goes over that pair in frames (see wire.go), so that no call waits for
// another. Errors cross as text, with the error numbers and the sentinels that they wrap, so that errors.Is answers on the
// client's side as it did on the other.
//
// # Life
//
// The end of its socket tells a function that nobody waits for it any more: its context is cancelled. A process of
// its own is gone a moment later, whatever it was doing. A function in the server that does not end is left alone
// there: the client gives up on that server, which gets no new calls and is killed after its last one.
//
// When the client ends by any means, the server sees the end of its sockets, and is killed by the kernel (PR_SET_PDEATHSIG);
// so is whatever it has started, and all mounts go with their namespaces. When a function crashes, its server ends
// with it; every call that it was serving fails with "stage died" and the first words of the crash, and the next call starts
// a new one.
//
// What a process has only one of belongs to no function in the server: it must not change the working
// directory (which is /), the umask, the environment, limits, mounts or ids. A function that does is registered with [RegisterAlone].
//
// The package knows nothing of what its functions do: no layers, no nodes, no roots.
package stage
