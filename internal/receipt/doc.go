// Package receipt is what the receipts of jobs that delete files have in common:
// files and bytes by kind, what was kept and why, requests to storage, and how
// all of it is cut to size and printed.
//
// It counts what it is told; it does not look at storage. Its types are not safe
// for several goroutines at once.
package receipt
