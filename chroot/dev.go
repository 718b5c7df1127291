package chroot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// deviceNames are the devices a script finds in /dev, bound from the host's: nobody can make devices in a user
// namespace.
func deviceNames() []string { return []string{"null", "zero", "full", "random", "urandom", "tty"} }

// bindDevice binds a device of the host's. It can be written to all the same; what is read-only is its inode, whose mode
// and owner are the host's.
func (g *guest) bindDevice(device *os.File, p string) error {
	at, err := g.bind(device, p, false)
	if err != nil {
		return err
	}
	return setReadonly(at)
}

// mountDev makes a small /dev.
func (g *guest) mountDev(a *nodeArgs, devices map[string]*os.File) error {
	dev, err := g.mount("tmpfs", "/dev", unix.MS_NOSUID, "mode=0755,size=4m")
	if err != nil {
		return err
	}
	for _, name := range deviceNames() {
		if err := g.bindDevice(devices[name], dev+"/"+name); err != nil {
			return err
		}
	}
	// What is written there ought to reach the machine's console, and there is none.
	if err := g.bindDevice(devices["null"], dev+"/console"); err != nil {
		return err
	}
	options := "newinstance,ptmxmode=0666,mode=0620"
	if a.TTYGid {
		options += ",gid=5"
	}
	if _, err := g.mount("devpts", dev+"/pts", unix.MS_NOSUID|unix.MS_NOEXEC, options); err != nil {
		return err
	}
	if _, err := g.mount("tmpfs", dev+"/shm", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size="+a.Tmpfs.Shm); err != nil {
		return err
	}
	if _, err := g.mount("mqueue", dev+"/mqueue", noAll, ""); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, dev+"/"+name); err != nil {
			return fmt.Errorf("furnish /dev: %w", err)
		}
	}
	return nil
}
