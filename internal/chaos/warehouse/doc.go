// Package warehouse is what lies in the store of a chaos run: dropped tables that are
// to be purged, neighbours that must stay, and living tables whose writers go on
// committing while they are maintained. It knows what ought to be left at the end.
//
// Everything here goes past the fronts of the workers, and so past all faults: what a
// writer was told is what happened.
package warehouse
