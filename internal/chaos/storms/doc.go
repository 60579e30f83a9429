// Package storms breaks things: the store and the catalog request by request,
// processes and connections one after the other. Everything is drawn from one seed, so
// that the same seed gives the same plan; when exactly its steps meet the work of the
// fleet is up to the machine.
package storms
