package natstest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	RunIfChild()
	os.Exit(m.Run())
}

func store(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), "s", []byte("kept"))
	require.NoError(t, err)
}

func requireStored(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, "S")
	require.NoError(t, err)
	msg, err := stream.GetLastMsgForSubject(ctx, "s")
	require.NoError(t, err)
	require.Equal(t, "kept", string(msg.Data))
}

func TestARestartedServerKeepsItsPortAndItsStore(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	js := s.JetStream(t)
	store(t, js)
	url := s.URL()
	s.Restart(t)
	require.Equal(t, url, s.URL())
	requireStored(t, s.JetStream(t))
}

func TestAServerThatRestartsEmptyKeepsItsPortOnly(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	store(t, s.JetStream(t))
	url := s.URL()
	s.RestartEmpty(t)
	require.Equal(t, url, s.URL())
	_, err := s.JetStream(t).Stream(t.Context(), "S")
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
}

func TestAKilledProcessKeepsItsPortAndItsStore(t *testing.T) {
	t.Parallel()
	p := StartProcess(t, Config{})
	store(t, JetStream(t, Connect(t, p.URL())))
	url := p.URL()
	p.Kill()
	_, err := nats.Connect(url)
	require.Error(t, err)
	p.Start(t)
	require.Equal(t, url, p.URL())
	requireStored(t, JetStream(t, Connect(t, p.URL())))
}

func TestAStalledProxyPassesNothingUntilItResumes(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	p := NewProxy(t, s.Addr())
	nc := Connect(t, p.URL())
	require.NoError(t, nc.FlushTimeout(10*time.Second))
	p.Stall()
	require.Error(t, nc.FlushTimeout(100*time.Millisecond))
	require.True(t, nc.IsConnected(), "a stall is not a disconnect")
	p.Resume()
	require.NoError(t, nc.FlushTimeout(10*time.Second))
}

func TestUsersAndLimitsComeFromTheConfiguration(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{Conf: `
		accounts { APP { jetstream { max_file: 1MB }, users [ { user: u, password: p } ] } }`})
	js := s.JetStream(t, nats.UserInfo("u", "p"))
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxBytes: 2 << 20})
	require.ErrorContains(t, err, "insufficient storage")
	_, err = nats.Connect(s.URL())
	require.ErrorIs(t, err, nats.ErrAuthorization)
}
