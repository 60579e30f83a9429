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

func TestControlCharactersDoNotReachATerminal(t *testing.T) {
	t.Parallel()
	require.Equal(t, "sales.Größe 数", Clean("sales.Größe 数"))
	require.Equal(t, `"a\x1b[2Jb"`, Clean("a\x1b[2Jb"))
	require.Equal(t, `"a\nb"`, Clean("a\nb"))
	require.Equal(t, `"\u202etxt"`, Clean("\u202etxt"), "text that runs backwards")
	require.Equal(t, `no table "Größe" a\x1b[2J\tb`, OneLine(errors.New("no table \"Größe\" a\x1b[2J\tb\n")))
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
	require.EqualError(t, err, "DECKHAND_WAIT is not a value for --wait (bool); write true or false")
}

func TestUnknownVariablesOfOursAreErrorsWithTheNearestName(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkEnvironment([]string{
		"PATH=/bin", "DECKHAND_NATS_URL=x", "DECKHAND_SLOTS=x", "DECKHAND_TABLE_UUID=x", "DECKHAND=1",
		"DECKHAND_SERVICE_HOST=10.0.0.1", "DECKHAND_PORT=tcp://10.0.0.1:9464", "DECKHAND_PORT_9464_TCP_ADDR=10.0.0.1",
		"DECKHAND_WORKER_SERVICE_PORT_METRICS=9464", "DECKHAND_WORKER_PASSWORD=secret",
	}))
	require.EqualError(t, checkEnvironment([]string{"DECKHAND_NATS_CRDS=topsecret"}),
		"the environment variable DECKHAND_NATS_CRDS is not known; did you mean DECKHAND_NATS_CREDS?")
	require.EqualError(t, checkEnvironment([]string{"DECKHAND_WONDERFUL_NEW_SETTING_OF_MINE_THAT_IS_NOT_ONE=1"}),
		"the environment variable DECKHAND_WONDERFUL_NEW_SETTING_OF_MINE_THAT_IS_NOT_ONE is not known; see --help for the flags; their variables are DECKHAND_<FLAG>")
}
