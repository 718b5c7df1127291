// Package oneid answers for the kernel where it refuses what root of a whole machine may do: owners outside of the map, device
// nodes, trusted and security attributes. What a script asks for is recorded beside the file, in the form of layers/inode, and
// what it reads back agrees with the record, so that the layer is the same whoever builds.
//
//	process of the node ── seccomp filter ── calls that nothing is to be done about: as ever, nothing is added
//	       │ stopped in one of the others
//	listener of the filter
//	       │
//	Supervisor, in init ── reads the arguments, finds the file as the process would, acts, writes the result back
//
// What is done with a call stands in one table ([call]), from which the filter is made too. Numbers and layouts of all the
// machines whose programs this kernel executes are in abi*.go. A file is found inside of the root of the process, by
// a thread that has that root itself; magic links of /proc are followed only where they are the process's own.
//
// The supervisor trusts nothing that it reads from a process: everything there may change at any time, by the process or
// another one. It acts on what it has opened, after the kernel has said that the call is still waiting, and what it cannot decide
// it gives back to the kernel, which then answers as if there were no supervisor.
//
// The package must not know nodes, overlays and stages. It runs in init, whose capabilities it needs.
package oneid
