package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrInboxDenied: the user may not receive replies, so that every question to
// NATS would seem to go unanswered.
var ErrInboxDenied = errors.New("NATS lets this user receive no replies")

const (
	// inboxTimeout bounds the one round trip of CheckInbox.
	inboxTimeout = 5 * time.Second
	// checkToken ends the subject that CheckInbox subscribes to. Its caller hears
	// of a denial, so that the log need not.
	checkToken = "check"
)

// CheckInbox reports whether replies can be received, in one round trip. Without
// that right a request fails only after its whole time-out, and says nothing of
// the reason. The error wraps [ErrInboxDenied] and names the way out, or says
// that the server did not answer in 5 seconds.
func CheckInbox(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, inboxTimeout)
	defer cancel()
	subject := nc.NewInbox() + "." + checkToken // as many tokens as replies have
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return fmt.Errorf("subscribe to replies: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // of no use to anyone else
	// The server refuses before it answers the ping that follows.
	if err := nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("subscribe to replies: %w", err)
	}
	if last := nc.LastError(); last != nil && deniesReplies(last, subject) {
		prefix := strings.Join(strings.Split(subject, ".")[:strings.Count(subject, ".")-1], ".")
		return fmt.Errorf("%w: allow it to subscribe to %s.>, or set nats.inbox_prefix to a prefix that it may subscribe to", ErrInboxDenied, prefix)
	}
	return nil
}

// deniesReplies recognises the server's refusal of a subscription to a subject
// that begins so.
func deniesReplies(err error, subject string) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(`subscription to "`+subject))
}

// inboxPrefix is what all reply subjects of the connection begin with.
func (c Config) inboxPrefix() string {
	return cmp.Or(c.InboxPrefix, strings.TrimSuffix(nats.InboxPrefix, "."))
}
