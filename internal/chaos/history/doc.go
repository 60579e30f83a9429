// Package history records what happens in a chaos run: what was asked of the queue,
// what workers say that they do, what the store was asked by whom, what was broken on
// purpose. It is written as JSON lines while it happens, and kept in memory for the
// judgement afterwards.
//
// All times are of the one machine that everything runs on. What a worker says it did
// is believed only where it can gain nothing by being wrong: the store's own record
// says what it really did.
package history
