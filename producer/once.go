package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/policy"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
)

func newOnce() *cobra.Command {
	var catalog string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "once",
		Short: "Look through the catalogs once and queue what is due",
		Long: `Looks through the catalogs that have a rest section, reads the policies of every
table, and queues a job for each table that is due. A table that cannot be loaded, a
policy that is broken and a catalog that is down are counted and said, and the rest
goes on. It waits for no other producer; a job that is queued already is not queued
again.

Exit codes: 0 done; 2 bad input; 3 done, but tables, policies or catalogs need a
person; 4 a catalog or the queue does not answer, or the queue takes no jobs: try again.`,
		Example: `  producer once --config deckhand.yaml
  producer once --config deckhand.yaml --catalog lake --json`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			return once(cmd.Context(), s, catalog, printer{s.Out, asJSON})
		}, config.Scanning),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&catalog, "catalog", "", "look through this catalog only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	config.Bind(cmd.Flags(), config.Scanning)
	return cmd
}

func once(ctx context.Context, s *command.Session, catalog string, out printer) (err error) {
	clients, err := openClients(s, catalog, nil)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, clients.close()) }()
	nc, js, err := connect(ctx, s)
	if err != nil {
		return err
	}
	defer nc.Close()
	q, err := queue.Open(ctx, js, queue.Config{})
	if err != nil {
		return command.Exit(command.TryAgain, err)
	}
	cfg := clients.scanConfig(s.Config, s.Log)
	cfg.Queue, cfg.Publish = q, publisher(js)
	scanner, err := scan.New(cfg)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	summary, err := scanner.Scan(ctx)
	if err != nil {
		return err
	}
	if err := out.scan(summary); err != nil {
		return err
	}
	switch {
	case summary.NeedsPerson():
		return command.Printed(command.Exit(command.Dead, errors.New("some tables, policies or catalogs need a person; the log says which")))
	case summary.Passing():
		return command.Printed(command.Exit(command.TryAgain, errors.New("a catalog or the queue does not answer; try again")))
	}
	return nil
}

// connect reaches JetStream once.
func connect(ctx context.Context, s *command.Session) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := broker.Connect(ctx, s.Config.NATS, "producer", s.Log)
	if errors.Is(err, broker.ErrSettings) {
		return nil, nil, command.Exit(command.BadInput, err)
	}
	if err != nil {
		return nil, nil, command.Exit(command.TryAgain, err)
	}
	if err := broker.CheckInbox(ctx, nc); err != nil {
		nc.Close()
		return nil, nil, command.Exit(command.TryAgain, err)
	}
	js, err := broker.JetStream(nc, s.Config.NATS)
	if err != nil {
		nc.Close()
		return nil, nil, command.Exit(command.TryAgain, err)
	}
	return nc, js, nil
}

// scan prints what a scan did.
func (p printer) scan(summary *scan.Summary) error {
	if p.json {
		return p.encode(summary)
	}
	for _, c := range summary.Catalogs {
		if err := writeCatalog(p.out, c); err != nil {
			return fmt.Errorf("print scan: %w", err)
		}
	}
	return nil
}

func writeCatalog(out io.Writer, c scan.CatalogSummary) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%d tables in %d namespaces, %d failed, %d broken policies\n", command.Clean(c.Catalog), c.Tables, c.Namespaces, c.Failed, c.Problems)
	for _, kind := range policy.Kinds() {
		counts, found := c.Kinds[kind]
		if !found {
			continue
		}
		parts := []string{fmt.Sprintf("%d due", counts.Due), fmt.Sprintf("%d queued now", counts.Published)}
		for _, more := range []struct {
			count int
			what  string
		}{{counts.Queued + counts.Waiting, "queued before"}, {counts.DeadLetters, "held by a dead letter"}, {counts.Withdrawn, "no longer due"}, {counts.OverBudget, "left for the next scan"}} {
			if more.count > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", more.count, more.what))
			}
		}
		fmt.Fprintf(w, "  %s\t%s\n", kind, strings.Join(parts, ", "))
	}
	if c.GenericTables+c.Views > 0 {
		skipped := make([]string, 0, len(c.Skipped))
		for _, name := range c.Skipped {
			skipped = append(skipped, command.Clean(name))
		}
		line := fmt.Sprintf("%d views, %d generic tables", c.Views, c.GenericTables)
		if len(skipped) > 0 {
			line += ": " + strings.Join(skipped, ", ")
		}
		fmt.Fprintf(w, "  skipped\t%s\n", line)
	}
	if len(c.Uncounted) > 0 {
		fmt.Fprintf(w, "  not counted\t%s\n", command.Clean(strings.Join(c.Uncounted, "; ")))
	}
	if c.Error != "" {
		fmt.Fprintf(w, "  error\t%s\n", command.Clean(c.Error))
	}
	return w.Flush()
}
