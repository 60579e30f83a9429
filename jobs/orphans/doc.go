// Package orphans deletes, or puts into the table's trash, the files below a
// living table's locations that nothing of the table names.
//
// The order of a job:
//
//	reach    what every retained snapshot and the metadata itself name, as hashes
//	list     the table's locations, streaming; each file is compared as it comes
//	judge    what lies below somebody else's table, or comes later, stays
//	load     the table again, before each round of deletes
//	delete   or move, a round at a time, up to the cap
//	empty    the trash of earlier runs
//
// What is guaranteed: a file that the table names is never touched, by whatever
// spelling it is named; nothing is deleted that is younger than a day by the
// store's own clock, whatever the settings say, or whose age is not told; nothing
// while a list or manifest of the table cannot be read, nor before all was listed to
// its end; nothing below a folder that has a table of its own; nothing of two tables
// that share a location, or of one that goes on in two catalogs; nothing outside of the
// table's location unless all of the catalog, or the settings, say that the folder is
// the table's alone. A run that is cut off anywhere and repeated ends the same.
//
// The set of what is reached holds hashes, whose only possible mistake is to keep
// a file. Memory is 8 to 22 bytes for each file that the table names, and about 30
// for each orphan up to the cap; the rest is only counted.
//
// What is not done: files that hidden folders hold are left alone, as Spark and
// Trino leave them. A commit that adopts a file older than a day in the moment
// between the last load and the delete cannot be seen: only the age, which such
// commits have to mind, guards from it, and quarantine, which puts such a file back.
// Nor is a file looked at again before it is deleted: one that somebody writes anew
// under an old name, after it was listed, goes. A second catalog is known by two
// commits there; one alone looks like a commit that failed.
package orphans
