// Package streams holds what every reader of a stream needs: an end with its context ([WithContext]), a count
// ([Counter]), decoding ahead of the reader ([Flow], of one or many decoders; [ReadAhead]). It must not know what is in
// a stream; how it is compressed is the business of internal/streams/packed.
package streams
