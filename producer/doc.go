// Command producer puts jobs into Deckhand's queue.
//
// What it guarantees: submitting a job twice is harmless; a job that is said to
// be queued is stored; the exit code tells bad input, a dead job and a queue to
// try again apart; with --json standard output can be parsed, also after a
// failure.
//
// What it does not do: it finds no work by itself, reads no table and needs no
// access to storage.
package main
