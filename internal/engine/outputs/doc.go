// Package outputs writes what a build was asked for: it fills the socket [engine.Output] with an OCI image layout ([Layout]),
// archives of such ([OCIArchive]) and of docker's kind ([DockerArchive]), SIF files ([SIF]), stage4 tarballs ([Stage4]),
// squashfs filesystems ([Squashfs]) and directories ([Rootfs]). All read the images from the store; how these came about it must not know.
//
// What it writes: the layout's directory; files, whole or not at all, and what stands beside one before it; and in the store what each
// file was made from, beside its digest and identity, so that one that is up to date is neither opened nor made again.
package outputs
