// Package tree turns a layer's stream into a directory ([Unpack]), an overlay's upper directory into a stream
// ([Capture]), and removes trees whose files belong to several ids ([RemoveAll]). It writes layer directories in the
// format that overlayfs mounts with the option userxattr:
//
//	NAME           a file, directory, link, fifo, device (or what stands for it, see layers/inode)
//	NAME, c 0/0    the whiteout of NAME
//	DIR            with the xattr user.overlay.opaque=y: hides what the layers below have in it. On the root the kernel
//	               does not look for it: whoever mounts the directories leaves out those below it
//	the root       with the xattr user.xtoo.implied: the layer says nothing of the root itself
//
// It runs as root of a user namespace and must not know the store, images or projects: what comes in and goes out are
// streams and directories that it is given.
package tree
