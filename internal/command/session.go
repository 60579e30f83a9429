package command

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"deckhand/internal/config"
	"deckhand/internal/telemetry"
)

// Session is what a command works with.
type Session struct {
	// Program is the binary's name.
	Program string
	Config  *config.Config
	Log     *slog.Logger
	// Out is for what was asked for, Err for all else.
	Out, Err io.Writer
}

// Action makes the RunE of a command that has the flags of the groups beside
// those of the root. Flags come from the environment too, the configuration is
// loaded, and printed instead of doing anything if that is asked for. Errors of
// run end the process with [CodeOf] them, wrong settings with BadInput.
func Action(run func(cmd *cobra.Command, s *Session, args []string) error, groups ...config.Group) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := open(cmd, append([]config.Group{config.Connection}, groups...))
		if err != nil {
			return Exit(BadInput, err)
		}
		if printed, _ := cmd.Flags().GetBool("print-config"); printed {
			return Exit(Failed, s.Config.Print(s.Out))
		}
		if err := run(cmd, s, args); err != nil {
			return Exit(CodeOf(err), err)
		}
		return nil
	}
}

func open(cmd *cobra.Command, groups []config.Group) (*Session, error) {
	if err := checkEnvironment(os.Environ()); err != nil {
		return nil, err
	}
	if err := fromEnvironment(cmd.Flags(), os.Getenv); err != nil {
		return nil, err
	}
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	loaded, err := config.Load(path, os.Getenv, cmd.Flags(), groups...)
	if err != nil {
		return nil, err
	}
	if !loaded.Worker.Embedded.Enabled {
		// A worker with a server of its own must not fail for want of a context.
		if loaded.NATS, err = loaded.NATS.Resolve(os.Getenv); err != nil {
			return nil, err
		}
	}
	level, err := loaded.Log.SlogLevel()
	if err != nil {
		return nil, err
	}
	log := telemetry.NewLogger(cmd.ErrOrStderr(), telemetry.LogConfig{Level: level, Format: loaded.Log.Format})
	if cmd.ErrOrStderr() == os.Stderr {
		// Libraries that log do so in the same form.
		slog.SetDefault(log)
	}
	return &Session{Program: cmd.Root().Name(), Config: loaded, Log: log, Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr()}, nil
}
