// Package table reads what a table consists of, from a metadata location alone
// and without a catalog: the root metadata file, the manifest lists and
// manifests that it names, and the entries of those.
//
// This is the one walk of every kind of job: a [Shelf] reads each manifest list
// once and has each manifest once, with all that the lists say of it; [Walk] shows
// the entries of manifests; and a [Reach] shows every file that a table needs.
//
// It also says which snapshots and refs a table's retention lets go, from the
// metadata alone ([Metadata.Expired]).
//
// It reads only the fields that deleting and keeping files depend on, so that a
// table with a schema, a transform or a default that this program does not know
// can still be worked on. Everything is streamed: memory grows with the number
// of snapshots and distinct manifests, never with the number of files.
//
// Missing, damaged and forbidden files are told apart, since a missing manifest
// may be ignored and a damaged one may not. The package deletes nothing and
// commits nothing.
package table
