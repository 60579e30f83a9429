package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"deckhand/internal/clitest"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
)

func TestHelpNamesEveryCommandAndAWayToBegin(t *testing.T) {
	t.Parallel()
	got := worker(t, "--help")
	require.Equal(t, 0, got.Code)
	for _, want := range []string{"run ", "setup ", "exec ", "status ", "dead ", "cancel ", "sweep ", "doctor ", "worker run --embedded --config deckhand.yaml", "DECKHAND_<FLAG>"} {
		require.Contains(t, got.Stdout, want)
	}
	for _, command := range newRoot().Commands() {
		require.Contains(t, command.Long, "Exit codes", command.Name())
		if command.HasSubCommands() || !command.Runnable() {
			continue
		}
		require.NotEmpty(t, command.Example, command.Name())
		require.NotEmpty(t, command.Long, command.Name())
	}
}

func TestCommandLinesThatAreDocumentedExist(t *testing.T) {
	t.Parallel()
	clitest.CheckDocumented(t, "../README.md", newRoot)
}

// What the help says to begin with is enough to begin.
func TestTheConfigurationOfTheHelpPurges(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(newRoot().Long, "where deckhand.yaml says which catalogs it may touch:\n")
	require.True(t, found)
	text, _, found = strings.Cut(text, "\nIn another terminal")
	require.True(t, found)
	path := filepath.Join(t.TempDir(), "deckhand.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	none := func(string) string { return "" }
	settings, err := config.Load(path, none, pflag.NewFlagSet("", pflag.ContinueOnError))
	require.NoError(t, err)
	require.NoError(t, settings.Catalogs["lake"].CanVerify())
	require.True(t, settings.Catalogs["lake"].Purges())
}

func TestEveryFlagHasAVariableThatBothBinariesKnow(t *testing.T) {
	t.Parallel()
	var visit func(command *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(flag *pflag.Flag) {
				require.True(t, command.KnownVariable(flag.Name) || flag.Name == "help" || flag.Name == "version", "%s --%s", cmd.CommandPath(), flag.Name)
			})
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(newRoot())
}

func TestReasonsOfTheDeadAreSaidOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ reason, err, want string }{
		{"permanent: it is gone", "it is gone", "permanent: it is gone"},
		{"it is gone", "it is gone", "it is gone"},
		{"malformed", "", "malformed"},
		{"malformed", "field id: is empty", "malformed: field id: is empty"},
	} {
		require.Equal(t, test.want, why(&queue.DeadLetter{Reason: test.reason, Error: test.err}))
	}
}

func TestVersionIsOneLine(t *testing.T) {
	t.Parallel()
	got := worker(t, "--version")
	require.Equal(t, 0, got.Code)
	require.Regexp(t, `^worker \S+ \(.*go1\.\S+\)\n$`, got.Stdout)
}

func TestBadInputIsOneLineThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	y := newYard(t, "")
	typo := newYard(t, "worker:\n  slotz: {purge: 1}\n")
	job := y.folder + "/job.json"
	require.NoError(t, os.WriteFile(job, []byte(`{"v":1,"id":"x","kind":"purge"}`), 0o600))
	for _, test := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{"sttus"}, "", `unknown command "sttus" for "worker"; did you mean`},
		{[]string{"dead", "lst"}, "", `unknown command "lst" for "worker dead"`},
		{[]string{"run", "--slotz=1"}, "", `unknown flag: --slotz; see "worker run --help"`},
		{[]string{"run", "--slots=purge"}, "", "is not KIND=NUMBER"},
		{[]string{"run", "--slots=compactt=1"}, "", `kind "compactt" is not known`},
		{[]string{"run"}, "", "no catalog is configured"},
		{[]string{"run", "--config", typo.config}, "", `deckhand.yaml:6: unknown key "worker.slotz"; did you mean "slots"?`},
		{[]string{"run", "--config", "absent.yaml"}, "", "the configuration file absent.yaml does not exist"},
		{[]string{"run", "--config", y.config}, "DECKHAND_DRAIN=soon", "DECKHAND_DRAIN is not a value for --drain (duration); write for instance 25s"},
		{[]string{"run", "--config", y.config}, "DECKHAND_SLOTS=x", `worker: DECKHAND_SLOTS: "x" is not KIND=NUMBER; write for instance purge=4,purge-view=2`},
		{[]string{"run", "--config", y.config}, "DECKHAND_DRAIN=-1s", `worker: DECKHAND_DRAIN: -1s is too short; write at least 0s`},
		{[]string{"status"}, "DECKHAND_SLTOS=purge=1", "the environment variable DECKHAND_SLTOS is not known; did you mean DECKHAND_SLOTS?"},
		{[]string{"run", "--config", y.config, "--http=:80", "--pprof"}, "", "--pprof: it shows memory"},
		{[]string{"run", "--config", y.config, "--nats-creds=nope.creds", "--http=off"}, "", "nats: creds: the file nope.creds does not exist"},
		{[]string{"status", "--nats-creds=nope.creds"}, "", "nats: creds: the file nope.creds does not exist"},
		{[]string{"exec", "purge", "--config", y.config, "--catalog=lake", "--metadata-location=/x", "--nats-ca=nope"}, "", "nats: ca: read certificates"},
		{[]string{"run", "--config", y.config, "--http=:65536"}, "", `--http: ":65536" is not host:port`},
		{[]string{"run", "--config", y.config, "--slots=purge=1001"}, "", "write at most 1000"},
		{[]string{"status", "--nats-url=http://u:topsecret@host"}, "", "has the scheme"},
		{[]string{"status", "--nats-context=absent"}, "", `nats context "absent": does not exist`},
		{[]string{"exec", "compactt"}, "", `kind "compactt" is not known; kinds are [purge purge-shard purge-finish purge-view purge-files expire orphans manifests]`},
		{[]string{"exec", "purge-files", "--config", y.config, "--catalog=lake"}, "", "give the whole job with --file"},
		{[]string{"exec", "purge", "--config", y.config}, "", "give --catalog and --metadata-location"},
		{[]string{"exec", "purge", "--config", y.config, "--catalog=sea", "--metadata-location=s3://w/x"}, "", `catalog "sea" is not configured; there are lake (realm POLARIS)`},
		{[]string{"exec", "purge", "--config", y.config, "--catalog=lake", "--realm=R", "--metadata-location=s3://w/x"}, "", `catalog "lake" of realm "R" is not configured`},
		{[]string{"exec", "purge", "--config", y.config, "--catalog=lake", "--table=t", "--metadata-location=/x"}, "", `--table: table "t" has no namespace`},
		{[]string{"exec", "purge", "--config", y.config, "--file", job}, "", "field realm: is missing or empty"},
		{[]string{"exec", "purge-view", "--config", y.config, "--file", "-"}, "", "field body: is not a JSON object"},
		{[]string{"exec", "purge", "--config", y.config, "--file", job, "--catalog=lake"}, "", "--file holds the whole job"},
		{[]string{"dead", "show"}, "", "name one job"},
		{[]string{"dead", "requeue"}, "", "name a job by its subject"},
		{[]string{"cancel"}, "", `name each job to cancel by its subject; see "worker cancel --help"`},
		{[]string{"cancel", "a b"}, "", `"a b" is not the subject of a job; copy one from "worker status"`},
		{[]string{"dead", "drop", "purge..x"}, "", `"purge..x" is not the subject of a job`},
		{[]string{"dead", "ls", "a", "b"}, "", "accepts at most 1 arg(s)"},
		{[]string{"cancel", "purge.>", "--nats-url", nowhere}, "", "name each job to cancel"},
		{[]string{"setup", "--replicas=9"}, "", "9"},
		{[]string{"status", "--every=1ms", "--nats-url", nowhere}, "", "--every: write at least 100ms"},
	} {
		var got clitest.Result
		if test.env == "" {
			got = worker(t, test.args...)
		} else {
			got = clitest.Run(t, clitest.Command{Args: test.args, Env: []string{test.env}})
		}
		require.Equal(t, 2, got.Code, "%v: %s", test.args, got.Stderr)
		require.Contains(t, got.Stderr, test.want)
		require.Equal(t, 1, strings.Count(got.Stderr, "\n"), got.Stderr)
		require.True(t, strings.HasPrefix(got.Stderr, "worker: "), got.Stderr)
		require.Empty(t, got.Stdout)
		require.NotContains(t, got.Stderr, "topsecret")
	}
}

func TestPrintConfigShowsWhatResultsWithoutSecrets(t *testing.T) {
	t.Parallel()
	y := newYard(t, "    s3: { access_key_id: k, secret_access_key: topsecret }\nworker: { drain: 3s, stall_timeout: 4m }\n")
	got := clitest.Run(t, clitest.Command{
		Args: []string{"run", "--config", y.config, "--print-config", "--slots=purge=7"},
		Env:  []string{"DECKHAND_DRAIN=5s", "DECKHAND_SLOTS=purge=9", "NATS_URL=nats://u:topsecret@env:4222"},
	})
	require.Equal(t, 0, got.Code, got.Stderr)
	require.NotContains(t, got.Stdout, "topsecret")
	for _, want := range []string{"url: nats://u:[redacted]@env:4222", "drain: 5s", "stall_timeout: 4m0s", "purge: 7", "access_key_id: k"} {
		require.Contains(t, got.Stdout, want)
	}
}

func TestCommandsThatNeedNATSSayThatItDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"status"}, {"dead", "ls"}, {"cancel", "purge.x"}, {"setup"}} {
		got := worker(t, append(args, "--nats-url", nowhere)...)
		require.Equal(t, 1, got.Code)
		require.Equal(t, "worker: connect to NATS at nats://127.0.0.1:1: no server answers; start one, or give its address with --nats-url\n", got.Stderr)
	}
}
