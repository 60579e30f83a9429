// Package erase deletes files of tables in a way that can be cut off anywhere and
// taken up again: what the entries of manifests name, in parallel and without a
// list of the files ([Entries]), and the few files above them ([Files]).
//
// It decides nothing: what may go is said by a [Judge], and bounded by the guard
// of the session that deletes. What the store refuses is told to the judge, and a
// failure that may pass ends the work with an error; neither is forgotten.
package erase
