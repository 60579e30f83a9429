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

// find gives the server's folder, or skips the test in one line.
func find(t *testing.T) string {
	t.Helper()
	home, err := Find(t.Context(), "../..")
	if errors.Is(err, ErrNone) && os.Getenv("REQUIRE_POLARIS") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return home
}

// Where a server keeps its entities.
const (
	inMemory   = "in memory"
	onPostgres = "on PostgreSQL"
)

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
	home := find(t)
	both, postgres := []string{inMemory, onPostgres}, []string{onPostgres} // what is in memory does not outlive a server
	for _, part := range []struct {
		name string
		on   []string
		test func(*testing.T, *ring)
	}{
		{"a purged table's files go, with a receipt", both, purgeAndReceipt},
		{"a view's files go", both, purgeView},
		{"switched off, Polaris purges by itself", both, switchedOff},
		{"clients get the recorded answers", both, recordedDrops},
		{"clients get the recorded refusals", both, recordedRefusals},
		{"drops take their usual time while NATS is away, and none is lost", both, dropWithoutNATS},
		{"drops take their usual time while NATS is slow, and none is lost", both, dropWithSlowNATS},
		{"a server killed between drop and publish loses nothing", postgres, killedBeforePublish},
		{"a server killed between publish and delete purges nothing twice", postgres, killedBeforeDelete},
		{"a row that cannot be deleted is not published twice", postgres, deletesFail},
		{"two servers on one database publish each purge once", postgres, twoServers},
		{"a backlog drains, each purge once", postgres, backlog},
	} {
		for _, persistence := range part.on {
			t.Run(part.name+", "+persistence, func(t *testing.T) { part.test(t, newRing(t, home, persistence == onPostgres)) })
		}
	}
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
