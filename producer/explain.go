package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/polaris"
	"deckhand/internal/policy"
	"deckhand/internal/queue"
	"deckhand/internal/scan"
	"deckhand/jobs"
)

func newExplain() *cobra.Command {
	var catalog string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain TABLE",
		Short: "Say which policies apply to a table, and whether it is due",
		Long: `Says for each kind of maintenance which policy applies to a table and where it comes
from, the settings after table properties and defaults, whether the table is due, why,
and when next. Nothing is queued. TABLE is catalog.namespace.table, or namespace.table
with --catalog; a dot inside a name is written =2E.

If NATS does not answer, what became of earlier jobs is not known, which is said.

Exit codes: 0 done; 2 bad input, or no such table; 3 refused, a person must change
something; 4 the catalog cannot be reached, try again.`,
		Example: `  producer explain lake.sales.orders --config deckhand.yaml
  producer explain --catalog lake sales.orders --config deckhand.yaml --json`,
		Args: cobra.ExactArgs(1),
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			return explain(cmd.Context(), s, catalog, args[0], printer{s.Out, asJSON})
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&catalog, "catalog", "", "name of the catalog, if TABLE does not begin with it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// explained is what is printed as JSON.
type explained struct {
	Realm     string               `json:"realm"`
	Catalog   string               `json:"catalog"`
	Namespace []string             `json:"namespace"`
	Table     string               `json:"table"`
	History   string               `json:"history"`
	Kinds     []policy.Explanation `json:"kinds"`
}

func explain(ctx context.Context, s *command.Session, catalog, text string, out printer) (err error) {
	found, id, err := findTable(s.Config, catalog, text)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	clients, err := openClients(s, found.Name, nil)
	if err != nil {
		return command.Exit(command.BadInput, err)
	}
	defer func() { err = errors.Join(err, clients.close()) }()
	cfg, known := clients.scanConfig(s.Config, s.Log), "known"
	q, end, err := openHistory(ctx, s)
	switch {
	case errors.Is(err, broker.ErrSettings):
		return err
	case err != nil:
		known = unknownHistory(err)
	default:
		defer end()
		cfg.Queue = q
	}
	kinds, err := explainTable(ctx, cfg, found, id)
	if errors.Is(err, scan.ErrQueue) {
		cfg.Queue, known = nil, unknownHistory(err)
		kinds, err = explainTable(ctx, cfg, found, id)
	}
	if err != nil {
		return command.Exit(catalogCode(err), err)
	}
	return out.explanation(explained{
		Realm: found.Realm, Catalog: found.Name, Namespace: id.Namespace, Table: id.Name, History: known, Kinds: kinds,
	})
}

// historyTimeout is how long NATS may take to answer before a table is explained
// without its history.
const historyTimeout = 5 * time.Second

// openHistory opens the queue, for reading.
func openHistory(ctx context.Context, s *command.Session) (*queue.Queue, func(), error) {
	attempt, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	nc, js, err := connect(attempt, s)
	if err != nil {
		return nil, nil, err
	}
	q, err := queue.Open(attempt, js, queue.Config{})
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return q, nc.Close, nil
}

func unknownHistory(err error) string { return "unknown: " + command.OneLine(err) }

func explainTable(ctx context.Context, cfg scan.Config, catalog *config.Catalog, id polaris.Identifier) ([]policy.Explanation, error) {
	scanner, err := scan.New(cfg)
	if err != nil {
		return nil, err
	}
	return scanner.Explain(ctx, catalog.Realm, catalog.Name, id)
}

// findTable splits the name of a table that may begin with its catalog's.
func findTable(cfg *config.Config, catalog, text string) (*config.Catalog, polaris.Identifier, error) {
	namespace, table, err := jobs.ParseTable(text)
	if err != nil {
		return nil, polaris.Identifier{}, fmt.Errorf("%s: %w", text, err)
	}
	if catalog == "" {
		catalog, namespace = namespace[0], namespace[1:]
		if len(namespace) == 0 {
			return nil, polaris.Identifier{}, fmt.Errorf("%s: write catalog.namespace.table, or give --catalog", text)
		}
	}
	id := polaris.Identifier{Namespace: namespace, Name: table}
	switch found := cfg.CatalogsNamed(catalog); len(found) {
	case 0:
		return nil, id, fmt.Errorf("catalog %q is not configured; write catalog.namespace.table, or give --catalog", catalog)
	case 1:
		return found[0], id, nil
	default:
		return nil, id, fmt.Errorf("catalog %q is in the realms %s and %s; remove one from the configuration", catalog, found[0].Realm, found[1].Realm)
	}
}

// catalogCode is the exit code of an answer of a catalog.
func catalogCode(err error) command.Code {
	switch {
	case errors.Is(err, polaris.ErrNotFound), errors.Is(err, polaris.ErrNoNamespace), errors.Is(err, polaris.ErrNotATable):
		return command.BadInput
	case errors.Is(err, jobs.ErrUnavailable):
		return command.TryAgain
	}
	return command.Dead
}

func (p printer) explanation(e explained) error {
	if p.json {
		return p.encode(e)
	}
	if _, err := fmt.Fprintf(p.out, "%s\n", command.Clean(e.Catalog+"."+jobs.FormatTable(e.Namespace, e.Table))); err != nil {
		return fmt.Errorf("print explanation: %w", err)
	}
	if e.History != "known" {
		fmt.Fprintf(p.out, "what became of earlier jobs is %s\n", e.History)
	}
	for _, kind := range e.Kinds {
		if _, err := fmt.Fprintln(p.out); err != nil {
			return fmt.Errorf("print explanation: %w", err)
		}
		if err := kind.WriteText(p.out); err != nil {
			return fmt.Errorf("print explanation: %w", err)
		}
	}
	return nil
}
