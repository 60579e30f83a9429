package main

import (
	"errors"
	"fmt"
	"os/user"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/queue"
)

func newCancel() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "cancel JOB...",
		Short: "Remove jobs from the queue, waiting or running",
		Long: `Records that the job was canceled, then removes it. A worker that runs it stops
within 20 seconds; what it has deleted stays deleted. A purge that is shared out is
canceled with all its shards.

A job is named by its subject, as "worker status" or "nats stream subjects JOBS"
print it; patterns are not taken.

Exit codes: 0 all are canceled; 1 one is not queued or had finished, or NATS
cannot be reached; 2 bad input.`,
		Example: `  worker cancel purge.POLARIS.lake.sales.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name each job to cancel by its subject; see \"%s --help\"", cmd.CommandPath())
			}
			return areSubjects(args)
		},
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			for _, arg := range args {
				if isPattern(arg) {
					return command.Exit(command.BadInput, fmt.Errorf("%s is a pattern; name each job to cancel", arg))
				}
			}
			c, err := openQueue(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer c.close()
			var errs []error
			for _, arg := range args {
				switch err := c.queue.Cancel(cmd.Context(), arg, by); {
				case errors.Is(err, queue.ErrNotQueued):
					errs = append(errs, fmt.Errorf("%w; see \"worker status\"", err))
				case err != nil:
					errs = append(errs, err)
				default:
					fmt.Fprintf(s.Out, "canceled  %s\n", command.Clean(tailOf(arg)))
				}
			}
			return errors.Join(errs...)
		}),
	}
	cmd.Flags().StringVar(&by, "by", username(), "who cancels, for the record")
	return cmd
}

func username() string {
	if current, err := user.Current(); err == nil && current.Username != "" {
		return current.Username
	}
	return "unknown"
}
