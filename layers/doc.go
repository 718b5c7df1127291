// Package layers is the store and everything that makes or reads a layer: blobs, layer directories,
// the capture of a diff, cache records, locks and collection.
//
// # Two halves
//
// The host half ([Store] and what hangs on it) runs as the user who called xtoo and needs no privilege:
// it hashes, compresses, renames and records. The namespace half ([Unpack], [Capture], [RemoveAll]) touches
// files of other owners and so runs as root of a user namespace; it knows nothing of the store.
// Between the halves there are tar streams on pipes.
//
// # On disk
//
//	$XTOO_STORE (default $XDG_DATA_HOME/xtoo, else ~/.local/share/xtoo), mode 0700
//	  oci/                     an OCI image layout: every blob once, every image built, by its tag
//	  layers/HEX/fs            the directory of the layer whose diff id is sha256:HEX, in overlayfs's on-disk
//	                           format (user.overlay.* xattrs); a cache of oci/: it can be unpacked again
//	  cache/KIND/HEX.json      records: what was made from what (see [Store.Get])
//	  cache/locks/             lock files, present only while something is locked
//	  logs/                    one file a node executed
//	  stages/                  stage3s as published
//	  tmp/NAME, tmp/NAME.lock  work in progress of a living process, or rubbish of a dead one
//
// Everything but oci/ can be made again; all of it can be deleted at any time while no build runs
// (`xtoo clean --all` does it whoever owns the files).
package layers
