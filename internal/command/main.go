package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"deckhand/internal/config"
	"deckhand/internal/telemetry"
)

// Commands are listed in the order in which people need them.
func init() { cobra.EnableCommandSorting = false }

// NewRoot makes a binary's top command: its name, what it is in a few lines, and
// the flags that all its commands have. version is what the linker knows.
func NewRoot(name, short, long, version string) *cobra.Command {
	root := &cobra.Command{
		Use: name, Short: short, Long: long,
		Version:      telemetry.ReadBuild(version).String(),
		SilenceUsage: true, SilenceErrors: true,
		Args: noCommand, SuggestionsMinimumDistance: 2,
		// Without a command there is nothing to do but to print the configuration.
		RunE: Action(func(cmd *cobra.Command, _ *Session, _ []string) error { return cmd.Help() }),
	}
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.String("config", "", "configuration file (YAML)")
	flags.Bool("print-config", false, "print the configuration that results, without secrets, and exit")
	config.Bind(flags, config.Connection)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

func wrongFlag(cmd *cobra.Command, err error) error {
	return Exit(BadInput, fmt.Errorf("%w; see \"%s --help\"", err, cmd.CommandPath()))
}

// Group makes a command that only holds others.
func Group(use, short, long string, children ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: use, Short: short, Long: long, Args: noCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	group.AddCommand(children...)
	return group
}

// noCommand is the Args of a command that only holds others: whatever is left
// over was meant to be one of them.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see \"%s --help\"", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q; %s", args[0], cmd.CommandPath(), hint)
}

// Main runs a binary and returns its exit code. SIGINT and SIGTERM end the
// context of the command; a second one ends the process at once.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Once the context has ended, signals do again what they do by default.
	defer context.AfterFunc(ctx, stop)()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return int(Done)
	}
	fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), OneLine(err))
	var ours *exitError
	if !errors.As(err, &ours) {
		return int(BadInput) // cobra's own: an unknown command, a missing argument
	}
	return int(ours.code)
}

// OneLine is an error's text without line breaks or other control characters.
func OneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, escape(line))
		}
	}
	return strings.Join(lines, "; ")
}
