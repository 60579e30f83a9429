package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
)

func newSetup() *cobra.Command {
	var replicas int
	var update bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Create or check the streams and buckets in NATS",
		Long: `Creates the streams, buckets and consumers that are missing, and says how
existing ones differ from what this version wants. It changes nothing that exists
unless --update-streams is given: replicas, sizes and placement are yours.

Exit codes: 0 all is well, 1 something could not be created, or differs in a way
that keeps workers from running, 2 bad input.`,
		Example: `  worker setup --nats-url nats://nats:4222 --replicas 3
  worker setup --nats-context admin
  worker setup --update-streams`,
		Args: cobra.NoArgs,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, _ []string) error {
			assets := queue.AssetsConfig{Replicas: replicas, AckWait: s.Config.Worker.AckWait, Update: update}
			if err := assets.Validate(); err != nil {
				return command.Exit(command.BadInput, err)
			}
			return setUp(cmd, s, assets)
		}, config.Timing),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().IntVar(&replicas, "replicas", 0, "servers that keep a copy of each stream; 3 on a cluster (default: as they are, 1 for new ones)")
	cmd.Flags().BoolVar(&update, "update-streams", false, "overwrite what differs")
	config.Bind(cmd.Flags(), config.Timing)
	return cmd
}

func setUp(cmd *cobra.Command, s *command.Session, assets queue.AssetsConfig) error {
	c, err := connect(cmd.Context(), s)
	if err != nil {
		return err
	}
	defer c.close()
	report, err := queue.Setup(cmd.Context(), c.js, assets)
	for _, name := range report.Created {
		fmt.Fprintln(s.Out, "created", name)
	}
	for _, difference := range report.Changed {
		fmt.Fprintln(s.Out, "changed", difference.Change())
	}
	if report.Hint != "" {
		fmt.Fprintln(s.Out, "hint:", report.Hint)
	}
	if err != nil {
		return fmt.Errorf("set up streams: %w", err)
	}
	var fatal []string
	for _, difference := range report.Differences {
		fmt.Fprintln(s.Out, "differs", difference)
		if difference.Fatal {
			fatal = append(fatal, difference.Asset+" "+difference.Field)
		}
	}
	switch {
	case len(fatal) > 0:
		return errors.New("workers will not run with these differences: " + strings.Join(fatal, ", ") + "; change them, or overwrite all with --update-streams")
	case len(report.Created) == 0 && len(report.Changed) == 0 && len(report.Differences) == 0:
		fmt.Fprintln(s.Out, "all streams and buckets are as they must be")
	}
	return nil
}
