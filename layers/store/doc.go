// Package store keeps what builds make: blobs, records, layer directories, work in progress, behind locks; and collects
// what nothing refers to. It alone writes the store. It runs as the user who called xtoo and needs no privilege: it
// hashes, compresses, renames and records. It must not know how a layer is made, what executes nodes, or what a
// project is.
//
// # On disk
//
//	$XTOO_STORE (default $XDG_DATA_HOME/xtoo, else ~/.local/share/xtoo), mode 0700
//	  oci/                     an OCI image layout: every blob once, every image built, by its tag
//	  layers/IDS/HEX/fs        the directory of the layer whose diff id is sha256:HEX, under one map of ids, in overlayfs's
//	                           on-disk format (user.overlay.* xattrs); a cache of oci/: it can be unpacked again
//	  layers/IDS/HEX/made      what it looked like when it was made (see [Dirs]); "fresh" until it is on the disk
//	  cache/KIND/N/HEX.json    records: what was made from what, in an envelope (see [Store.Put], [Refs])
//	  cache/secret-key         the key that digests of secrets are taken under
//	  cache/locks/             lock files, present only while something is locked
//	  inputs/HEX               scripts and declared files of nodes, for those who execute them (see [Store.KeepInput])
//	  logs/                    one file a node executed
//	  stages/                  stage3s as published
//	  tmp/NAME, tmp/NAME.lock  work in progress of a living process, or rubbish of a dead one
//	  lock                     locked, shared, by builds; exclusively by a cleaning
//
// A record is {"version":1, "kind":"nodes/4", "refs":{…}, "body":…}. Its kind belongs to the package that writes it; a
// cleaning looks at the references alone, and leaves alone what has a name that a store does not have.
//
// Everything but oci/ can be made again; all of it can be deleted at any time while no build runs
// (`xtoo clean --all` does it whoever owns the files).
package store
