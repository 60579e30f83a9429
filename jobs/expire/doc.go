// Package expire removes the snapshots and refs of a living table that its
// retention lets go, and then the files that nothing reaches any more.
//
// The retention is that of Iceberg's Java library ([table.Retention]). Files are
// judged by reachability alone: what any snapshot of the table reaches stays,
// whatever else names it. The order of a job:
//
//	plan    lists and, where a manifest goes, the live entries of all that stay
//	record  <metadata folder>/deckhand-expire/<id>.json: what is about to go
//	commit  every ref of the table is asserted; a conflict plans anew
//	look    at the metadata that the commit replaced
//	delete  data files → manifests → manifest lists → statistics → the record
//
// What is guaranteed: nothing is committed while a list or manifest that stays
// cannot be read; nothing is deleted before the table was loaded again after the
// commit, nor outside the table's own locations; a run that is cut off anywhere
// and repeated ends the same, and one that is never repeated is finished by the
// next expiry of the table, since the record names what was removed.
//
// A catalog drops the refs of a removed snapshot without a word. A branch or tag
// that came between the plan and the commit is found in the metadata that the
// commit replaced. Then no file is deleted, the snapshot and the ref are put back,
// and the rest is planned anew; a catalog that does not take them back ends the job
// dead, and every further one until the table has the snapshot again or the
// record is deleted by hand.
//
// What is not done: files that only entries of status DELETED name, and those
// that no snapshot ever named, are the work of orphan removal. What an
// unreadable manifest of a removed snapshot names stays and is said in the
// receipt.
package expire
