package broker

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func startEmbedded(t *testing.T, cfg EmbeddedConfig) *Embedded {
	t.Helper()
	if cfg.StoreDir == "" {
		cfg.StoreDir = t.TempDir()
	}
	if cfg.Port == 0 {
		cfg.Port = -1
	}
	embedded, err := StartEmbedded(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, embedded.Close()) })
	return embedded
}

func TestEmbeddedServerKeepsItsStreamsAcrossARestart(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "made", "on", "start")
	for _, run := range []string{"first", "second"} {
		embedded := startEmbedded(t, EmbeddedConfig{StoreDir: folder, SyncAlways: true})
		nc, err := Connect(t.Context(), Config{URL: embedded.URL()}, "test", slog.Default())
		require.NoError(t, err)
		js, err := JetStream(nc, Config{})
		require.NoError(t, err)
		if run == "first" {
			_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}})
			require.NoError(t, err)
			_, err = js.Publish(t.Context(), "kept", []byte("x"))
			require.NoError(t, err)
		} else {
			stream, err := js.Stream(t.Context(), "KEPT")
			require.NoError(t, err)
			require.EqualValues(t, 1, stream.CachedInfo().State.Msgs)
		}
		nc.Close()
		require.NoError(t, embedded.Close())
	}
}

func TestEmbeddedServerSaysThatItsPortIsTaken(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, err = StartEmbedded(EmbeddedConfig{StoreDir: t.TempDir(), Port: listener.Addr().(*net.TCPAddr).Port})
	require.ErrorContains(t, err, "is in use")
	require.ErrorContains(t, err, "--nats-url")
}

func TestEmbeddedServerSaysThatItsStoreIsTaken(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := startEmbedded(t, EmbeddedConfig{StoreDir: folder})
	_, err := StartEmbedded(EmbeddedConfig{StoreDir: folder, Port: -1})
	require.ErrorContains(t, err, folder+" is in use by another process")
	require.NoError(t, first.Close())
	second := startEmbedded(t, EmbeddedConfig{StoreDir: folder})
	require.NotEmpty(t, second.URL())
}

func TestEmbeddedServerThatCannotStartGivesItsFolderFree(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	// JetStream keeps its files in this folder of the store.
	inTheWay := filepath.Join(folder, "jetstream")
	require.NoError(t, os.WriteFile(inTheWay, nil, 0o600))
	_, err := StartEmbedded(EmbeddedConfig{StoreDir: folder, Port: -1})
	require.Error(t, err)
	require.NoError(t, os.Remove(inTheWay))
	startEmbedded(t, EmbeddedConfig{StoreDir: folder})
}

func TestEmbeddedServerNeedsAFolderAndAPort(t *testing.T) {
	t.Parallel()
	_, err := StartEmbedded(EmbeddedConfig{})
	require.ErrorContains(t, err, "store folder")
	_, err = StartEmbedded(EmbeddedConfig{StoreDir: t.TempDir(), Port: 70000})
	require.ErrorContains(t, err, "70000")
}

func TestConnectingWaitsForTheServerUntilItIsThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address, port := listener.Addr().String(), listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())

	records := make(chan string, 100)
	log := slog.New(recorder{records})
	type outcome struct {
		url string
		err error
	}
	connected := make(chan outcome, 1)
	go func() {
		nc, err := ConnectRetrying(context.Background(), Config{URL: "nats://" + address}, "test", log)
		if err != nil {
			connected <- outcome{err: err}
			return
		}
		defer nc.Close()
		connected <- outcome{url: nc.ConnectedUrl()}
	}()
	require.Equal(t, "waiting for NATS", <-records)
	startEmbedded(t, EmbeddedConfig{Port: port})
	got := <-connected
	require.NoError(t, got.err)
	require.Equal(t, "nats://"+address, got.url)
}

func TestConnectingStopsWaitingWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	records := make(chan string, 100)
	done := make(chan error, 1)
	go func() {
		_, err := ConnectRetrying(ctx, Config{URL: "nats://127.0.0.1:1"}, "test", slog.New(recorder{records}))
		done <- err
	}()
	<-records
	cancel(os.ErrDeadlineExceeded)
	require.ErrorIs(t, <-done, os.ErrDeadlineExceeded)
}

// recorder hands each message of a log to a channel.
type recorder struct{ messages chan<- string }

func (recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r recorder) Handle(_ context.Context, record slog.Record) error {
	r.messages <- record.Message
	return nil
}
func (r recorder) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r recorder) WithGroup(string) slog.Handler      { return r }
