// Package storage reads, lists and deletes the files of tables in object
// stores and on local disks, by location: s3:// (also written s3a:// and
// s3n://) and file://.
//
// What it guarantees:
//
//   - A [Session] cannot write or delete anything outside its [Guard]: whole
//     path segments are compared, "." and ".." segments are refused, and on
//     local disks symbolic links that leave the allowed folder are not followed.
//   - Keys are raw. No key is ever decoded, escaped, cleaned or normalised
//     between a listing, a manifest and a delete, so that what is deleted is
//     what was named.
//   - An object that is already absent counts as deleted.
//   - A store that asks to slow down (503 SlowDown, 429) slows the bucket's
//     limiter, which all sessions of a process share; it is not a failure.
//   - Errors carry the operation, the location, the store's code and its request
//     id, never a secret, and can be told apart with errors.Is.
//
// What it does not do: it never lists the buckets, never asks for an object's
// head before deleting it, knows nothing about object versions (a delete in a
// versioned bucket leaves a delete marker), and decides nothing about what may
// be deleted beyond the guard.
//
// One file holds one kind of store (s3.go, file.go) behind the small interface
// in backend.go; another cloud is one more such file and a line in its table.
package storage
