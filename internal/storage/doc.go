// Package storage reads, lists and deletes the files of tables in object
// stores and on local disks, by location: s3:// (also written s3a:// and
// s3n://), gs://, abfss:// (also abfs://, wasbs:// and wasb://) and file://.
//
// What it guarantees:
//
//   - A [Session] cannot write or delete anything outside its [Guard]: whole
//     path segments are compared, "." and ".." segments are refused, and on
//     local disks symbolic links that leave the allowed folder are not followed.
//   - Keys are raw. No key is ever decoded, escaped, cleaned or normalised
//     between a listing, a manifest and a delete, so that what is deleted is
//     what was named.
//   - A key by which a store would take another object is refused in words, never
//     renamed: in Azure one with a backslash or a dot at a step's end, and in its
//     accounts with a hierarchical namespace one with an empty step.
//   - A folder is what its keys begin with: s3://bucket and s3://bucket/ are the
//     bucket, s3://bucket// only its keys that begin with a slash, see
//     [Location.Within]. Paths of files have one spelling: repeated slashes are one.
//   - What is read ends with io.EOF only when it is complete, also where the store
//     does not tell its size; a broken connection is never taken for the end.
//   - An object that is already absent counts as deleted. An answer that is not
//     the store's, as the 404 of a proxy, never means absent: it is ErrUnavailable.
//   - One key that a store does not take does not keep those beside it: a refused
//     batch is deleted one by one.
//   - A store that asks to slow down (503 SlowDown, 429) slows the bucket's
//     limiter, which all sessions of a process share; it is not a failure.
//   - Keys of a role may do what the session that uses them may, and as little more as
//     the size of a session policy allows; see [S3Role] and [Session.Widened].
//   - In a bucket that keeps versions, a session made for it deletes all versions of
//     what is named, and of nothing else; see [SessionConfig].Versions.
//   - A move deletes an object only after its copy was looked at and the object
//     was found unchanged, and writes nothing over.
//   - Errors carry the operation, the location, the store's code and its request
//     id, never a secret, and can be told apart with errors.Is.
//
// What it does not do: it never lists the buckets, never asks for an object's
// head before deleting it, reads and lists no versions but the current ones, deletes
// others in S3 alone ([Session.Keeping] tells of all stores), never lifts a lock, lists and reads no directories of
// Azure and removes none (empty ones stay), deletes no blob that has snapshots, and
// decides nothing about what may be deleted beyond the guard.
//
// One file holds one kind of store (s3.go, gcs.go, azure.go, file.go) behind the small
// interface in backend.go; another cloud is one more such file and a line in its
// table, and a case of the suite in internal/storetest.
package storage
