// Package erase deletes files of tables in a way that can be cut off anywhere and
// taken up again: what the entries of manifests name, in parallel and without a
// list of the files ([Entries]), and the few files above them ([Files]).
//
// It decides nothing: what may go is said by a [Judge], and bounded by the guard
// of the session that deletes. What the store refuses is told to the judge, and a
// failure that may pass ends the work with an error; neither is forgotten.
//
// No file is skipped because of what was saved: an entry counts as settled when its
// file is gone, or the judge has said that it is not to go for this entry. Deletes are
// repeated where they were on their way or not saved yet, see [Entries].
package erase
