package command

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func TestErrorsKeepTheirExitCodeWhenWrapped(t *testing.T) {
	t.Parallel()
	require.Equal(t, Done, CodeOf(nil))
	require.Equal(t, Failed, CodeOf(io.EOF))
	require.Equal(t, TryAgain, CodeOf(fmt.Errorf("more: %w", Exit(TryAgain, io.EOF))))
	require.ErrorIs(t, Exit(Dead, io.EOF), io.EOF)
	require.NoError(t, Exit(Dead, nil))
}

func TestErrorsArePrintedOnOneLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a; b", OneLine(errors.Join(errors.New("a"), errors.New("b\n"))))
	root := NewRoot("tool", "", "", "")
	root.AddCommand(&cobra.Command{Use: "status", RunE: Action(nil)})
	root.SetArgs([]string{"sttus"})
	require.Equal(t, `unknown command "sttus" for "tool"; did you mean status?`, OneLine(root.Execute()))
}

func TestFlagsComeFromTheEnvironmentUnlessGiven(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DECKHAND_TABLE_UUID": "env", "DECKHAND_TABLE": "env", "DECKHAND_WAIT": "true", "DECKHAND_HELP": "true"}
	getenv := func(name string) string { return env[name] }
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	uuid, table, wait, help := flags.String("table-uuid", "", ""), flags.String("table", "", ""), flags.Bool("wait", false, ""), flags.Bool("help", false, "")
	require.NoError(t, flags.Parse([]string{"--table=given"}))
	require.NoError(t, fromEnvironment(flags, getenv))
	require.Equal(t, "env", *uuid)
	require.Equal(t, "given", *table)
	require.True(t, *wait)
	require.False(t, *help)

	env["DECKHAND_WAIT"] = "topsecret"
	flags.Lookup("wait").Changed = false
	err := fromEnvironment(flags, getenv)
	require.EqualError(t, err, "DECKHAND_WAIT is not a value for --wait (bool)")
}
