package main

import (
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
unless --update-streams is given: replicas, sizes and placement are yours. What it
then overwrites it prints; replicas and the ack wait are overwritten only where
--replicas and --ack-wait are given.

Exit codes: 0 all is as it must be, or differs only in what is yours to choose;
1 NATS cannot be reached, or something could not be created or changed; 2 bad
input; 3 something differs in a way with which workers will not run.`,
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
	if err != nil {
		return fmt.Errorf("set up streams: %w", err)
	}
	if report.Hint != "" {
		fmt.Fprintf(s.Err, "%s: %s\n", s.Program, report.Hint)
	}
	if len(report.Created)+len(report.Changed)+len(report.Differences) == 0 {
		fmt.Fprintln(s.Out, "all streams and buckets are as they must be")
	}
	return differing(s, report.Differences)
}

// differing prints what is left as it was, and what to do. Only what keeps
// workers from running is an error.
func differing(s *command.Session, differences []queue.Difference) error {
	var fatal []string
	changeable := false
	for _, difference := range differences {
		fmt.Fprintln(s.Out, "differs", difference)
		changeable = changeable || !difference.Fixed
		if difference.Fatal {
			fatal = append(fatal, difference.Asset+" "+difference.Field)
		}
	}
	if len(fatal) > 0 {
		hint := "do what is said above"
		if changeable {
			hint = "look at them, then overwrite all that differs with --update-streams"
		}
		return command.Exit(command.Dead, fmt.Errorf("workers will not run with these differences: %s; %s", strings.Join(fatal, ", "), hint))
	}
	if changeable {
		fmt.Fprintf(s.Err, "%s: workers run with these differences; keep them, or overwrite them with --update-streams\n", s.Program)
	}
	return nil
}
