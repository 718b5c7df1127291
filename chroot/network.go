package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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

// resolverFiles returns the contents of /etc/resolv.conf and /etc/hosts for a node. The host's may be symbolic
// links, which are followed there.
func resolverFiles(n Network, hostname string) (resolv, hosts []byte, err error) {
	if n == NetworkNone {
		return nil, []byte("127.0.0.1 localhost " + hostname + "\n::1 localhost\n"), nil
	}
	if resolv, err = readIfThere("/etc/resolv.conf"); err != nil {
		return nil, nil, err
	}
	hosts, err = readIfThere("/etc/hosts")
	return resolv, hosts, err
}

func readIfThere(p string) ([]byte, error) {
	data, err := os.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
