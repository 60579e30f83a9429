// Package policy turns Polaris' maintenance policies into typed settings, and
// decides from those and from what a table's load returned whether the table
// needs a job now.
//
// It guarantees that a policy is either understood as a whole or not carried out:
// a key that is not known, a value of the wrong type or range, a key that is there
// twice stop the policy for the table, with a message that names the key. Nothing
// falls back to a default that deletes more, nor to a policy further away. Keys
// with a foreign prefix (acme.owner) belong to someone else and are left alone.
// Settings of a job and of `--set` are read by the same code under the same names.
//
// Deciding is arithmetic: no storage is read, nothing is asked, the clock is a
// parameter. What expires is decided by package table; here only the instant is
// searched from which that is something.
//
// The package performs no maintenance, publishes no job and keeps no state.
package policy
