// Package telemetry is how a process shows what it does: logs (slog), metrics
// (Prometheus), health over HTTP, and its version.
//
// What it guarantees: attribute keys and metric names are the same everywhere,
// because they are constants and fields here; no metric has a table's name for a
// label, so that their number stays small; liveness does not depend on NATS.
//
// What it does not do: it keeps no history and sends nothing anywhere.
package telemetry
