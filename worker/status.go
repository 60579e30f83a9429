package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/queue"
)

func newStatus() *cobra.Command {
	var asJSON, watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the queue, running jobs, results and dead letters",
		Long: `Shows how many jobs of each kind wait, run, are delayed or dead, which worker has
which table and how far it is, and how the last jobs ended. A big purge that is shared
out among workers is one line, with about how long it takes yet. It only looks.

Exit codes: 0 shown; 1 NATS cannot be reached or has no streams; 2 bad input.`,
		Example: `  worker status
  worker status --watch
  worker status --json | jq .kinds`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			if every < 100*time.Millisecond {
				return command.Exit(command.BadInput, errors.New("--every: write at least 100ms"))
			}
			c, err := openQueue(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer c.close()
			show := printStatus
			if asJSON {
				show = func(out io.Writer, status *queue.Status) error { return writeJSON(out, status, !watch) }
			}
			return showStatus(cmd.Context(), s.Out, c.queue, show, watch, every)
		}),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&watch, "watch", false, "go on until interrupted, with the speed of running jobs")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "pause between two looks with --watch")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with --watch one object a line")
	return cmd
}

// clearScreen moves the cursor home and clears what follows.
const clearScreen = "\x1b[H\x1b[2J"

func showStatus(ctx context.Context, out io.Writer, q *queue.Queue, show func(io.Writer, *queue.Status) error, watch bool, every time.Duration) error {
	file, ok := out.(*os.File)
	terminal := watch && ok && isatty.IsTerminal(file.Fd())
	var earlier *queue.Status
	for {
		status, err := q.Status(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read status: %w", err)
		}
		if earlier != nil {
			status.RatesSince(earlier)
		}
		earlier = status
		var page bytes.Buffer
		if terminal {
			page.WriteString(clearScreen)
		}
		if err := show(&page, status); err != nil {
			return err
		}
		if _, err := out.Write(page.Bytes()); err != nil {
			return fmt.Errorf("print status: %w", err)
		}
		if !watch {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
