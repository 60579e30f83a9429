package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/secret"
)

const (
	// connectTimeout bounds one attempt to connect to one server.
	connectTimeout = 5 * time.Second
	// reconnectWait and its jitter keep a fleet from coming back at once.
	reconnectWait       = time.Second
	reconnectJitter     = time.Second
	reconnectJitterTLS  = 3 * time.Second
	pingInterval        = 20 * time.Second
	maxPingsOutstanding = 3
)

// ErrSettings: a setting of the nats section cannot be used, as a file that does
// not exist; connecting was not tried.
var ErrSettings = errors.New("nats")

// ErrUnreachable: no server answers at the address.
var ErrUnreachable = errors.New("no server answers")

// Connect makes one attempt to connect and returns a connection that, from then
// on, reconnects for ever. cfg must be resolved. name is what NATS shows for the
// connection, for instance "worker/host-1". ctx ends the attempt.
//
// The error is a sentence that says what to change and holds no secret.
func Connect(ctx context.Context, cfg Config, name string, log *slog.Logger) (*nats.Conn, error) {
	return connect(ctx, cfg, name, log, nats.RetryOnFailedConnect(false))
}

// ConnectRetrying is Connect, but it goes on while no server can be reached, and
// says so in the log, until it is connected or ctx ends; that is then the error.
func ConnectRetrying(ctx context.Context, cfg Config, name string, log *slog.Logger) (*nats.Conn, error) {
	nc, err := connect(ctx, cfg, name, log, nats.RetryOnFailedConnect(true))
	if err != nil {
		return nil, err
	}
	if err := awaitConnected(ctx, nc, secret.RedactURL(cfg.URL), log); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// awaitConnected reports once a minute, and at once, that NATS is waited for.
func awaitConnected(ctx context.Context, nc *nats.Conn, address string, log *slog.Logger) error {
	status := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(status)
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for said := false; ; said = true {
		if nc.IsConnected() {
			return nil
		}
		if nc.IsClosed() {
			return explain(nc.LastError(), address)
		}
		if !said {
			log.WarnContext(ctx, "waiting for NATS", slog.String("url", address))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for NATS at %s: %w", address, context.Cause(ctx))
		case <-status:
		case <-tick.C:
			log.ErrorContext(ctx, "still waiting for NATS", slog.String("url", address), slog.Any("error", nc.LastError()))
		}
	}
}

func connect(ctx context.Context, cfg Config, name string, log *slog.Logger, retry nats.Option) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", context.Cause(ctx))
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	options, err := cfg.options(name, log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	timeout := connectTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(deadline), time.Millisecond))
	}
	nc, err := nats.Connect(cfg.URL, append(options, retry, nats.Timeout(timeout))...)
	if err != nil {
		return nil, explain(err, secret.RedactURL(cfg.URL))
	}
	return nc, nil
}

// JetStream gives the JetStream of a connection, with cfg's domain or prefix.
func JetStream(nc *nats.Conn, cfg Config) (js jetstream.JetStream, err error) {
	switch {
	case cfg.JetStreamDomain != "":
		js, err = jetstream.NewWithDomain(nc, cfg.JetStreamDomain)
	case cfg.JetStreamAPIPrefix != "":
		js, err = jetstream.NewWithAPIPrefix(nc, strings.TrimSuffix(cfg.JetStreamAPIPrefix, "."))
	default:
		js, err = jetstream.New(nc)
	}
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	return js, nil
}

func (c Config) options(name string, log *slog.Logger) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitterTLS),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOutstanding),
	}
	options = append(options, handlers(log, c.inboxPrefix())...)
	if c.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	login, err := c.login()
	if err != nil {
		return nil, err
	}
	if login != nil {
		options = append(options, login)
	}
	encryption, err := c.tls()
	if err != nil {
		return nil, err
	}
	return append(options, encryption...), nil
}

// login gives the option for the one way to log in, nil without one. Files are
// looked at here, since the client would only do so while connecting, and would
// then go on trying without them.
func (c Config) login() (nats.Option, error) {
	switch {
	case c.Creds != "":
		if _, err := secret.ReadFile(c.Creds); err != nil {
			return nil, fmt.Errorf("creds: %w", err)
		}
		return nats.UserCredentials(c.Creds), nil
	case c.NKey != "":
		if _, err := secret.ReadFile(c.NKey); err != nil {
			return nil, fmt.Errorf("nkey: %w", err)
		}
		option, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey: %s does not hold the seed of a user's nkey", c.NKey)
		}
		return option, nil
	case c.User != "" && c.Password == "":
		return nats.Token(c.User), nil
	case c.User != "":
		return nats.UserInfo(c.User, c.Password.Reveal()), nil
	case c.Token != "":
		return nats.Token(c.Token.Reveal()), nil
	case c.userJWT != "":
		return nats.UserJWTAndSeed(c.userJWT.Reveal(), c.userSeed.Reveal()), nil
	}
	return nil, nil
}

func (c Config) tls() ([]nats.Option, error) {
	if c.Cert == "" && c.CA == "" && !c.TLSFirst {
		return nil, nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("cert: read client certificate: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	if c.CA != "" {
		data, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: read certificates: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("ca: %s holds no PEM certificate", c.CA)
		}
	}
	options := []nats.Option{nats.Secure(settings)}
	if c.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}

// handlers log what happens to a connection. A denied publish has no other sign
// than this than a time-out.
func handlers(log *slog.Logger, inbox string) []nats.Option {
	var noReplies sync.Once
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if deniesReplies(err, inbox+".") {
				if !strings.Contains(err.Error(), "."+checkToken+`"`) {
					noReplies.Do(func() {
						log.Error("NATS lets this user receive no replies; allow it to subscribe to them, or set nats.inbox_prefix to a prefix that it may subscribe to",
							slog.String("subject", inbox+".>"))
					})
				}
				return
			}
			attrs := []any{slog.Any("error", err)}
			if sub != nil {
				attrs = append(attrs, slog.String("subject", sub.Subject))
			}
			if errors.Is(err, nats.ErrPermissionViolation) {
				log.Error("NATS denies what this connection asks for; grant it or use other credentials", attrs...)
				return
			}
			log.Warn("NATS connection reports an error", attrs...)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil is our own Close
				log.Warn("disconnected from NATS", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", slog.String("url", nc.ConnectedUrlRedacted()))
		}),
	}
}

// explain says what to do about an error of nats.Connect. Only errors that are
// known to hold no address are repeated.
func explain(err error, address string) error {
	var parse *url.Error
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var network net.Error
	switch {
	case err == nil:
		return fmt.Errorf("connect to NATS at %s: the connection was closed", address)
	case errors.As(err, &parse):
		return fmt.Errorf("connect to NATS: %q is not an address", address)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("connect to NATS at %s: the server refuses the login; check creds, nkey, user or token: %w", address, err)
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("connect to NATS at %s: one side wants TLS and the other does not; check the scheme (nats:// or tls://) and ca: %w", address, err)
	case errors.As(err, &unknown), errors.As(err, &host):
		return fmt.Errorf("connect to NATS at %s: the server's certificate is not trusted; set ca, and an address that the certificate names: %w", address, err)
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("connect to NATS at %s: %w; start one, or give its address with --nats-url", address, ErrUnreachable)
	case errors.As(err, &network):
		return fmt.Errorf("connect to NATS at %s: %w; start one, or give its address with --nats-url: %w", address, ErrUnreachable, err)
	}
	return fmt.Errorf("connect to NATS at %s: %w", address, err)
}
