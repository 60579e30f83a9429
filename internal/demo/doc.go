// Command demo is `make demo`: it drops a real Iceberg table and shows how its
// files are purged, twice: undisturbed, and with the worker killed half-way. Then a
// policy shrinks a table that lives.
//
// The worker and the producer are the real binaries, built first and run as
// processes of their own; NATS is the server inside the worker. Everything lies
// in one temporary folder, on ports that were free, and is removed at the end.
// The demo only tells what it has checked: it ends with exit code 1 when a file
// is left, a neighbour is touched or files go in the wrong order.
//
// With -polaris (`make demo-polaris`) a real Polaris with the extension drops the
// table; where none can be had it says so.
//
// With -up (`make up`) it starts the worker, writes a table that can be purged
// and keeps running until Ctrl-C.
package main
