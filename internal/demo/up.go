package main

import (
	"context"
	"path/filepath"
	"strings"

	"deckhand/internal/tabletest/icebergtable"
)

// keepUp starts a worker, writes a table to play with and waits for Ctrl-C.
func keepUp(ctx context.Context, s *stage) error {
	step("Write a table with iceberg-go")
	table, err := s.writeTable(ctx, "sales.orders", icebergtable.Options{
		Files: 300, Snapshots: 8, Partitioned: true, Branch: true, PositionDeletes: true, EqualityDeletes: true,
	})
	if err != nil {
		return err
	}
	table.describe()
	step("Start a worker, with a NATS JetStream inside it")
	if err := s.start(ctx); err != nil {
		return err
	}
	step("Try, in another terminal (Ctrl-C here ends everything and removes %s)", s.folder)
	detail("%s \\", filepath.Join(s.bin, "producer")+" --nats-url "+s.nats)
	detail("  %s", strings.Join(table.submit("--wait"), " "))
	printTour(s.nats, filepath.Join(s.bin, "worker"), s.config)
	<-ctx.Done()
	say("\nstopping")
	return nil
}

// printTour lists what the nats CLI shows of a running fleet.
func printTour(url, worker, config string) {
	say("")
	for _, line := range []struct{ question, command string }{
		{"what is queued", "nats -s " + url + " stream subjects JOBS"},
		{"how far behind", "nats -s " + url + " consumer report JOBS"},
		{"who works on what", "nats -s " + url + " kv ls locks"},
		{"live counters", "nats -s " + url + " kv watch progress"},
		{"what was done", "nats -s " + url + " stream view RESULTS"},
		{"what failed", "nats -s " + url + " stream view DEAD"},
		{"stop taking purges", "nats -s " + url + " consumer pause JOBS purge 1h"},
		{"all at once", worker + " status --config " + config},
	} {
		detail("%-19s %s", line.question, line.command)
	}
}
