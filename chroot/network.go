package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// upLoopback brings up the interface lo of a new network namespace.
func upLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring up the loopback interface: %w", err)
	}
	req, err := unix.NewIfreq("lo")
	if err == nil {
		if err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err == nil {
			req.SetUint16(req.Uint16() | unix.IFF_UP)
			err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
		}
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("bring up the loopback interface: %w", err)
	}
	return nil
}

// openPorts lets everybody in this network namespace have the ports below 1024, and root's group send pings: the process of a node has no
// capability over a namespace of init's. A kernel that has no such setting leaves it.
func openPorts() error {
	for name, value := range map[string]string{"ip_unprivileged_port_start": "0", "ping_group_range": "0 0"} {
		err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explainProc(fmt.Errorf("open the network of the node: %w", err))
		}
	}
	return nil
}

// hostsText is /etc/hosts where it is not the image's: the same on every machine.
func hostsText(hostname string) []byte {
	return []byte("127.0.0.1 localhost " + hostname + "\n::1 localhost\n")
}

// resolverNames are the files of /etc that say how names are found.
func resolverNames() []string { return []string{"resolv.conf", "hosts"} }

// resolverFiles are these for /run/xtoo: the host's resolv.conf, which may be a symbolic link that is followed there, and a
// fixed hosts.
func resolverFiles(hostname string) (map[string]RunFile, error) {
	servers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return map[string]RunFile{
		"xtoo/resolv.conf": {Content: servers}, "xtoo/hosts": {Content: hostsText(hostname)},
	}, nil
}

// bindResolver mounts the resolver's files, which are in /run/xtoo, over the image's.
func (g *guest) bindResolver() error {
	for _, name := range resolverNames() {
		source, err := g.run.Open("xtoo/" + name)
		if err != nil {
			return err
		}
		at, err := g.bind(source, "/etc/"+name, false)
		if err == nil {
			err = setReadonly(at)
		}
		if err = errors.Join(err, source.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lendHosts makes a hosts file where the image has none, so that localhost is found. It is the script's to change, and goes
// if it was not.
func (g *guest) lendHosts(hostname string) error {
	const name = "/etc/hosts"
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	at, err := g.place(name, false)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	if err := os.WriteFile(at, hostsText(hostname), 0); err != nil { // it is there, with its mode
		return err
	}
	if last := &g.done[len(g.done)-1]; last.path == at { // else it is in a file system of the node's, and goes with that
		last.lent = true
		last.is, last.attrs, err = looks(at)
	}
	return err
}

// mountResolver says in the guest how names are found, or leaves that to the image.
func (g *guest) mountResolver(a *nodeArgs) error {
	if a.OwnResolver {
		return g.lendHosts(hostname(a.Spec))
	}
	return g.bindResolver()
}

// closeAbstract keeps this thread, and what it starts, from abstract sockets that were made outside (unix(7)): with the
// network, the host's are in reach, a desktop's and its buses among them. A kernel before 6.12, or one without
// Landlock, cannot.
func closeAbstract() error {
	rules := struct{ handledFS, handledNet, scoped uint64 }{scoped: 1} // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	fd, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	switch errno {
	case 0:
	case unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.E2BIG, unix.ENOMSG, unix.EPERM: // EPERM: a container's filter
		return nil
	default:
		return fmt.Errorf("make rules of Landlock: %w", errno)
	}
	_, _, errno = unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
	err := unix.Close(int(fd))
	if errno != 0 {
		err = errors.Join(fmt.Errorf("close abstract sockets with Landlock: %w", errno), err)
	}
	return err
}
