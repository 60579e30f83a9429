// Command worker runs Deckhand's jobs, and is what an operator looks into the
// fleet with. One file per command; internal/queue does what they ask for.
//
// What it guarantees: what was asked for goes to standard output and all else to
// standard error; an error is one line that says what to do; exit codes are in
// each command's help and do not change; names that others chose do not reach a
// terminal raw.
//
// What it does not do: it has no state of its own. NATS holds the queue, the
// object stores hold the tables, and "worker exec" needs only the latter.
package main
