// Package layers says what a layer is: the names that its members may have, whiteouts, the attributes that mean
// something to xtoo or to overlayfs and so are no member's own, access control lists and capabilities as they stand in
// a stream, and how a stream is compressed. It must not know directories, stores or images: those are its inner rooms,
// layers/inode, layers/tree, layers/merge and layers/store, and its neighbours.
package layers
