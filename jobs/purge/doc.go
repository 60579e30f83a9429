// Package purge deletes the files of a dropped table, and the metadata files of
// a dropped view.
//
// It works from the metadata location alone: the table is gone from the catalog.
// Files go leaf first and the root metadata file last, so that a missing root
// means done:
//
//	data and delete files → manifests → manifest lists → statistics
//	→ earlier metadata files → the root
//
// No level is begun until each file of the level before it is deleted, absent or
// deliberately kept. A manifest that cannot be read or a file that may not be
// deleted ends the job dead after the rest of its level; with the root still
// there, a requeue finishes what was left.
//
// Where the root is gone before a purge has begun, as a stock Polaris leaves it,
// [Files] works from the paths of manifests instead.
//
// Before anything is deleted, at every claim, the catalog is asked whether what was
// dropped lives on (package ownership): a table that was registered again has the
// same UUID and the same files. Then the job ends dead and names it; where the catalog
// does not tell, it comes back.
//
// A purge of very many files is shared out where the queue can do that (see [Fleet]):
// the job plans [Shards], each of which deletes what some manifests name, and ends
// as planned; the last shard to be completed publishes the [Finish], which goes on
// above the entries and ends the purge. The plan is recorded before its first shard
// is published. A finish never runs beside a shard at work: it begins when each
// shard of the recorded plan has left that it is completed, and a shard begins only
// if it has not. What is dead, canceled, missing or of another plan has left nothing.
// A file that two shards name is deleted by both and counted once, as far as that can
// be known; else the sum is "at most".
//
// What is guaranteed: nothing outside the catalog's allowed locations is
// deleted, nor outside the table's own under the scope "table"; nothing is
// deleted before every guard has agreed; a run that is cut off anywhere and
// repeated ends the same; memory does not grow with the number of files.
//
// What is not done: files that the metadata does not name are reported, never
// deleted; nothing is deleted by prefix; and nobody is asked again once a run deletes,
// nor any catalog but the table's own.
package purge
