package broker

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// serve runs a NATS server with the options for the length of the test.
func serve(t *testing.T, options server.Options) string {
	t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", -1, true, true
	srv, err := server.NewServer(&options)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	require.True(t, srv.ReadyForConnections(10*time.Second))
	return srv.ClientURL()
}

func tryConnect(t *testing.T, cfg Config) error {
	t.Helper()
	nc, err := Connect(t.Context(), cfg, "worker/test", slog.New(slog.DiscardHandler))
	if err == nil {
		nc.Close()
	}
	return err
}

func TestLoginByNameNeedsTheRightPassword(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Options{Username: "u", Password: "topsecret"})
	require.NoError(t, tryConnect(t, Config{URL: url, User: "u", Password: "topsecret"}))
	for _, wrong := range []Config{{URL: url}, {URL: url, User: "u", Password: "hunter2"}, {URL: "nats://u:hunter2@" + url[len("nats://"):]}} {
		err := tryConnect(t, wrong)
		require.ErrorContains(t, err, "the server refuses the login; check creds, nkey, user or token")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestUserWithoutPasswordIsAToken(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Options{Authorization: "t0ken"})
	require.NoError(t, tryConnect(t, Config{URL: url, User: "t0ken"}))
	require.NoError(t, tryConnect(t, Config{URL: url, Token: "t0ken"}))
	require.Error(t, tryConnect(t, Config{URL: url, Token: "other"}))
}

func TestLoginByNKey(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := user.PublicKey()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "user.nk")
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	url := serve(t, server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	require.NoError(t, tryConnect(t, Config{URL: url, NKey: file}))

	require.NoError(t, os.WriteFile(file, []byte("no seed"), 0o600))
	require.ErrorContains(t, tryConnect(t, Config{URL: url, NKey: file}), "nkey: "+file+" does not hold the seed")
}

func TestFilesThatAreMissingAreNamedBeforeConnecting(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	for field, cfg := range map[string]Config{
		"creds:": {Creds: absent}, "nkey:": {NKey: absent}, "ca:": {CA: absent}, "cert:": {Cert: absent, Key: absent},
	} {
		cfg.URL = "nats://127.0.0.1:1"
		err := tryConnect(t, cfg)
		require.ErrorContains(t, err, field)
		require.ErrorContains(t, err, absent)
	}
}

func TestNoServerIsOneSentence(t *testing.T) {
	t.Parallel()
	err := tryConnect(t, Config{URL: "nats://u:topsecret@127.0.0.1:1"})
	require.ErrorContains(t, err, "connect to NATS at nats://u:[redacted]@127.0.0.1:1: no server answers")
	require.NotContains(t, err.Error(), "topsecret")
}

func TestTLSIsCheckedAgainstTheGivenCertificates(t *testing.T) {
	t.Parallel()
	certificate, file := selfSigned(t)
	options := server.Options{TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, TLSTimeout: 5}
	url := serve(t, options)
	require.NoError(t, tryConnect(t, Config{URL: url, CA: file}))
	require.ErrorContains(t, tryConnect(t, Config{URL: url}), "set ca")

	options.TLSHandshakeFirst = true
	url = serve(t, options)
	require.NoError(t, tryConnect(t, Config{URL: url, CA: file, TLSFirst: true}))
}

func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestDeniedPublishIsLogged(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Options{Users: []*server.User{{
		Username: "u", Password: "p",
		Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"jobs.>"}}},
	}}})
	records := make(chan string, 10)
	nc, err := Connect(t.Context(), Config{URL: url, User: "u", Password: "p"}, "test", slog.New(recorder{records}))
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.Publish("jobs.x", nil))
	require.Contains(t, <-records, "NATS denies")
}

func TestInboxPrefixIsUsed(t *testing.T) {
	t.Parallel()
	nc, err := Connect(t.Context(), Config{URL: serve(t, server.Options{}), InboxPrefix: "_INBOX_worker"}, "test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer nc.Close()
	require.Regexp(t, `^_INBOX_worker\.`, nc.NewInbox())
}

func TestConnectingWithAnEndedContextSaysWhyItEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(os.ErrClosed)
	_, err := Connect(ctx, Config{URL: DefaultURL}, "test", slog.Default())
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestOutageIsReportedAfterFiveMinutesAndThenEachMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away outage
		var reported []time.Duration
		start := time.Now()
		for range 8 * 12 {
			time.Sleep(outagePoll)
			if since, report := away.observe(time.Now(), false); report {
				reported = append(reported, since)
			}
		}
		require.Equal(t, []time.Duration{5 * time.Minute, 6 * time.Minute, 7 * time.Minute}, reported)
		_, report := away.observe(time.Now(), true)
		require.False(t, report)
		_, report = away.observe(time.Now(), false)
		require.False(t, report, "a new outage begins at %s", time.Since(start))
	})
}

func TestARequestWithoutTheRightToItsReplyIsExplainedOnce(t *testing.T) {
	t.Parallel()
	url := serve(t, server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{"_DECK.>"}}}}}})
	for prefix, denied := range map[string]bool{"": true, "_OTHER": true, "_DECK": false} {
		var log lockedBuffer
		nc, err := Connect(t.Context(), Config{URL: url, User: "u", Password: "p", InboxPrefix: prefix}, "worker/test", slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		defer nc.Close()
		err = CheckInbox(t.Context(), nc)
		require.Equal(t, denied, errors.Is(err, ErrInboxDenied), "%v", err)
		if denied {
			require.ErrorContains(t, err, "allow it to subscribe to "+cmp.Or(prefix, "_INBOX")+".>")
		}
		for range 2 {
			_, _ = nc.Request("x", nil, 50*time.Millisecond)
			require.NoError(t, nc.Flush())
		}
		nc.Close()
		require.Eventually(t, func() bool { return strings.Count(log.String(), "nats.inbox_prefix") > 0 == denied }, 10*time.Second, 10*time.Millisecond)
		require.NotContains(t, log.String(), "denies what this connection asks for")
		require.LessOrEqual(t, strings.Count(log.String(), "nats.inbox_prefix"), 1)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	log strings.Builder
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}
