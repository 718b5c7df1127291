package host

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A namespaceKind is one of which there is a limit (namespaces(7)).
type namespaceKind struct {
	flag uintptr
	name string // in user.max_NAME_namespaces
}

func namespaceKinds() []namespaceKind {
	return []namespaceKind{
		{unix.CLONE_NEWNS, "mnt"}, {unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWIPC, "ipc"}, {unix.CLONE_NEWUTS, "uts"},
		{unix.CLONE_NEWNET, "net"}, {unix.CLONE_NEWCGROUP, "cgroup"}, {unix.CLONE_NEWTIME, "time"}, {unix.CLONE_NEWUSER, "user"},
	}
}

func (k namespaceKind) setting() string { return "user.max_" + k.name + "_namespaces" }

// limitHint says which limit stands in the way of namespaces of some kinds. There is one in each user namespace above, and
// none of them tells how many there are; so each kind is tried alone where this process may, and else the settings that it
// can see are looked at.
func (f settings) limitHint(kinds uintptr) string {
	var asked []namespaceKind
	for _, k := range namespaceKinds() {
		if k.flag&kinds != 0 {
			asked = append(asked, k)
		}
	}
	for _, k := range asked {
		if value := f.value("/proc/sys/" + strings.ReplaceAll(k.setting(), ".", "/")); value == "0" {
			return fmt.Sprintf("%s = 0; %s", k.setting(), persist(k.setting(), "15000"))
		}
	}
	for _, k := range asked {
		if k.flag != unix.CLONE_NEWUSER && errors.Is(tryNamespace(k.flag), syscall.ENOSPC) {
			return fmt.Sprintf("the limit %s is reached, here or in a user namespace above (a container's); %s", k.setting(), persist(k.setting(), "15000"))
		}
	}
	const setting = "user.max_user_namespaces"
	return fmt.Sprintf("the limit %s is reached, or namespaces are nested 32 times; %s", setting, persist(setting, "15000"))
}

// tryNamespace makes a namespace of one kind for a thread that ends at once.
func tryNamespace(flag uintptr) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		result <- unix.Unshare(int(flag))
	}()
	return <-result
}
