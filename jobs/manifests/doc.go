// Package manifests writes the manifests of a living table anew: those of one
// partition spec and content together, near the target size, clustered by
// partition, so that planning a scan opens few of them. Delete files that apply to
// nothing any more are dropped on the way.
//
// What is written says the same as what it replaces: every live entry is carried
// with its snapshot id, its data and file sequence numbers and its first row id,
// inherited ones written out. Rows, row ids and history are as before, and every
// earlier snapshot stays as it is.
//
// The order of a job:
//
//	list    the manifests of the branch main, and which of them are worth it
//	read    the entries of those, and of all others where deletes may be dropped
//	write   manifests beside the table's own, <id>-m<n>.avro, and a list
//	commit  a snapshot "replace" on main; a conflict plans anew and uses again
//	        what was written from manifests that are still there
//
// What is guaranteed: a manifest that is large enough and clustered stays as it
// is, so that a second run changes nothing; one that cannot be read, or not be
// carried without loss, stays and is said; nothing is committed on a table that
// changed under the plan, and writers win; no file of others is deleted, whoever
// owns the table's files, and none of its own that a commit may still need. Memory
// has a bound whatever the number of entries ([Config].Memory), but for about 200
// bytes per manifest and 150 per delete file.
//
// What is left after a crash: manifests and lists that no snapshot names. The next
// run of the job deletes them where it is sure that no commit was sent; else they
// are the work of orphan removal, as are the manifests that were replaced once
// their snapshots have expired.
//
// A delete file that is dropped has an entry of status DELETED in the new manifests,
// by which other engines' incremental expiry finds it. Such entries of earlier commits
// are not carried: they stand in the snapshots that made them, and a manifest that has
// no other goes with the first commit after that of its own snapshot.
//
// What is not done: a deletion vector that is dropped has no such entry while others
// in its Puffin file apply, since that expiry would delete the whole file. Only the
// branch main is rewritten. A position delete file stays that a deletion vector stands
// for.
package manifests
