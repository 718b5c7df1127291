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

// resolverNames are the files of /etc that say how names are found.
func resolverNames() []string { return []string{"resolv.conf", "hosts"} }

// resolverFiles are copies of these for /run/xtoo. The host's may be symbolic links, which are followed there.
func resolverFiles(n Network, hostname string) (map[string]RunFile, error) {
	files := map[string]RunFile{}
	for _, name := range resolverNames() {
		var content []byte
		if n == NetworkHost {
			data, err := os.ReadFile("/etc/" + name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			content = data
		} else if name == "hosts" {
			content = []byte("127.0.0.1 localhost " + hostname + "\n::1 localhost\n")
		}
		files["xtoo/"+name] = RunFile{Content: content}
	}
	return files, nil
}
