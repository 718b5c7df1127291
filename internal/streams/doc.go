// Package streams holds what every reader of a stream needs: an end with its context, a count.
package streams
