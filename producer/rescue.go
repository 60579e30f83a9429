package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/metastore"
)

// rescueFlags are what to rescue, and from where.
type rescueFlags struct {
	database, realm string
	olderThan       time.Duration
	adopt, again    bool
	json            bool
}

// defaultOlderThan is far above what a purge of the stock executor takes that
// still makes progress: it works without a lease, so nothing else tells.
const defaultOlderThan = time.Hour

func newRescue() *cobra.Command {
	var flags rescueFlags
	cmd := &cobra.Command{
		Use:   "rescue",
		Short: "Show, and with --adopt queue, purges that a stock Polaris never finished",
		Long: `Reads the purge tasks that a stock Polaris left in its metastore on PostgreSQL, and
says what would become of each. Nothing is published or changed without --adopt.

With --adopt, the purge of each table or view whose metadata file still exists is
queued. Where that is gone, since the stock executor deletes it first, the manifests
and files that its sub-tasks name are queued as purge-files jobs. A row is deleted once
NATS has stored its job, and only if it still is what was read.

Two things wait for others of their table to complete, with all of its rows: the
sub-tasks for a purge whose metadata file exists, and the listed files for manifests
that fill several jobs. Run it again then. It finds the jobs by their ids: one that
is dead or was canceled is said and keeps the table waiting, one of which nothing is
known (any more) is queued, which is harmless.

Running it again at any point is safe. Rows of other things, rows that cannot be
understood and those of the same table, and rows whose purge would hit a table that
lives stay.

Metadata files are looked for through the storage of the catalogs in --config. What
--database lacks comes from PGHOST, PGUSER, PGPASSWORD and so on, as for psql; keep the
password there or in the password file, since flags can be read by others.

Exit codes: 0 done; 2 bad input, or a metastore of an unknown version; 3 rows were
kept that need a person; 4 the database, storage or the queue cannot be reached, try
again.`,
		Example: `  producer rescue --config deckhand.yaml --database postgres://polaris@db/polaris
  producer rescue --config deckhand.yaml --database … --adopt --older-than 2h`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			if flags.olderThan < 0 {
				return command.Exit(command.BadInput, errors.New("--older-than: must not be negative"))
			}
			return rescue(cmd.Context(), s, flags)
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&flags.database, "database", "", "PostgreSQL URL of Polaris' metastore")
	cmd.Flags().StringVar(&flags.realm, "realm", "", "only tasks of this realm")
	cmd.Flags().DurationVar(&flags.olderThan, "older-than", defaultOlderThan, "leave younger tasks alone: the server may still work on them")
	cmd.Flags().BoolVar(&flags.adopt, "adopt", false, "queue the purges and delete their rows")
	cmd.Flags().BoolVar(&flags.again, "again", false, "queue jobs once more that others wait for and that were canceled, dropped from the dead letters, or a dry run")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print JSON")
	return cmd
}

func rescue(ctx context.Context, s *command.Session, flags rescueFlags) (err error) {
	store, err := metastore.Open(ctx, flags.database)
	if errors.Is(err, metastore.ErrUnknownSchema) || errors.Is(err, metastore.ErrBadAddress) {
		return command.Exit(command.BadInput, err)
	}
	if err != nil {
		return command.Exit(command.TryAgain, err)
	}
	defer func() {
		if closeErr := store.Close(context.WithoutCancel(ctx)); err == nil {
			err = closeErr
		}
	}()
	found, err := survey(ctx, store, flags.realm)
	if err != nil {
		return command.Exit(command.TryAgain, err)
	}
	judge := newJudge(s, found, flags.olderThan)
	defer judge.close()
	log := newRescueLog(s, flags)
	r := rescuer{store: store, log: log, again: flags.again, streams: map[string]jetstream.Stream{}}
	if flags.adopt {
		nc, js, err := connect(ctx, s)
		if err != nil {
			return err
		}
		defer nc.Close()
		r.js = js
	}
	for _, table := range found.tables {
		if err := r.rescue(ctx, judge.judge(ctx, table)); err != nil {
			return errors.Join(command.Exit(command.TryAgain, err), log.end(found))
		}
	}
	for _, stuck := range found.unusable {
		log.kept([]*metastore.Task{stuck.task}, stuck.name, verdict{reason: stuck.Problem, fix: stuck.Fix, needs: needsPerson})
	}
	if err := log.end(found); err != nil {
		return err
	}
	return log.verdict()
}
