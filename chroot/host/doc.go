// Package host finds out how much of root this machine lets this user have, and says what would raise it.
//
// # Tiers
//
// [Probe] finds the tier. In the mapped tier a range of ids stands for the ids of an image: all of them for real root, the
// ranges of /etc/subuid and /etc/subgid for others, behind the user's own id, which is 0 inside. In the single tier there
// is only that id 0.
//
//	outside (xtoo)      1000  100000 … 165535      real root: every id as it is
//	                      |       |  …  |
//	inside a namespace    0       1  …  65536      the single tier: 0 alone
//
// A namespace below such a one gets the same ids once more ([Host.Inside]), which needs no help of newuidmap(1); below real
// root's it may get ids that are nobody's ([Host.Nobody]).
//
// # Doctor
//
// A [Finding] is one thing that was looked at: those of this package read settings and files. What only a trial shows is
// found by package chroot, which asks for the rest here.
//
// The package starts no process but newuidmap and newgidmap, mounts nothing, and knows nothing of what is done in the
// namespaces: no layers, no nodes, no emulators.
package host
