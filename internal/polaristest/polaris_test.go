package polaristest

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/natstest"
	"deckhand/internal/pgtest"
)

func TestMain(m *testing.M) {
	natstest.RunIfChild()
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// asked says whether anyone wants these tests: they take minutes, and building a
// server takes more.
func asked() bool {
	for _, name := range []string{"TEST_POLARIS", "POLARIS_HOME", "POLARIS_URL", "REQUIRE_POLARIS"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// TestPolaris is ring 3. Its parts run one after the other: a server takes a
// core and half a gigabyte.
func TestPolaris(t *testing.T) {
	if !asked() {
		t.Skip("a real Polaris is asked for by make test-polaris")
	}
	if os.Getenv("POLARIS_URL") != "" {
		testRunning(t)
		return
	}
	home, err := Find(t.Context(), "../..")
	if errors.Is(err, ErrNone) && os.Getenv("REQUIRE_POLARIS") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	for name, test := range map[string]func(*testing.T, *ring){
		"a purged table's files go, with a receipt":         purgeAndReceipt,
		"a view's files go":                                 purgeView,
		"drops return while NATS is away, and none is lost": dropWithoutNATS,
		"drops return while NATS is slow, and none is lost": dropWithSlowNATS,
		"switched off, Polaris purges by itself":            switchedOff,
		"clients get the recorded answers":                  recordedDrops,
		"clients get the recorded refusals":                 recordedRefusals,
		"drops are as quick as those of a stock server":     quickDrops,
	} {
		for _, persistence := range []string{"in memory", "on PostgreSQL"} {
			t.Run(name+", "+persistence, func(t *testing.T) { test(t, newRing(t, home, persistence == "on PostgreSQL")) })
		}
	}
	t.Run("a server killed between drop and publish loses nothing", func(t *testing.T) { killedBeforePublish(t, newRing(t, home, true)) })
	t.Run("two servers on one database publish each purge once", func(t *testing.T) { twoServers(t, newRing(t, home, true)) })
}

func TestWithoutAServerOneLineSaysWhatToDo(t *testing.T) {
	t.Setenv("POLARIS_HOME", t.TempDir())
	_, err := Find(t.Context(), "../..")
	require.ErrorContains(t, err, "POLARIS_HOME has no quarkus-run.jar")

	t.Setenv("POLARIS_HOME", "")
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(root+"/deploy/polaris", 0o750))
	for said, want := range map[string]string{
		"echo 'the registry has Polaris 1.7.0 only in part: outbox'": "the registry has it only in part",
		"echo 'A JDK 21 or newer is missing'; exit 1":                "A JDK 21 or newer is missing",
	} {
		require.NoError(t, os.WriteFile(root+"/deploy/polaris/mvn.sh", []byte("#!/bin/sh\n"+said+"\n"), 0o700)) //nolint:gosec // a program
		_, err = Find(t.Context(), root)
		require.ErrorIs(t, err, ErrNone)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "POLARIS_HOME=<folder with quarkus-run.jar>")
		require.NotContains(t, err.Error(), "\n")
	}
}
