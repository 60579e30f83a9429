package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the stream that holds waiting and running jobs.
const StreamName = "JOBS"

// Headers of a job's message.
const (
	HeaderID          = "Job-Id"
	HeaderKind        = "Job-Kind"
	HeaderVersion     = "Job-Version"
	HeaderTraceParent = "traceparent"
)

// PublishState says what a successful [Publish] did.
type PublishState string

const (
	// Queued: the job was stored.
	Queued PublishState = "queued"
	// AlreadyQueued: a job on the same subject waits or runs; nothing was stored
	// and nothing need be done.
	AlreadyQueued PublishState = "already queued"
)

// Publication is what [Publish] achieved.
type Publication struct {
	State   PublishState `json:"state"`
	Subject string       `json:"subject"`
	// Sequence in JOBS; 0 when the job was already queued.
	Sequence uint64 `json:"seq,omitempty"`
}

var (
	// ErrQueueFull: the stream or the account has no room. The job is NOT stored;
	// wait and publish again.
	ErrQueueFull = errors.New("queue is full")
	// ErrNoStream: nothing answers for the stream JOBS. Create it with "worker
	// setup", or switch JetStream on.
	ErrNoStream = errors.New("no stream takes the job")
	// ErrPublishDenied: the server does not let this connection publish there, or
	// not receive the answer.
	ErrPublishDenied = errors.New("publishing is denied")
	// ErrPublishUnknown: no answer came; the job may or may not be stored.
	// Publishing the same job again is safe.
	ErrPublishUnknown = errors.New("publish was not confirmed")
)

// publishTimeout is how long one attempt waits for the stream's answer. A
// three-node stream that loses its leader needs up to six seconds.
const publishTimeout = 5 * time.Second

// electionTime is how long nobody need answer for a stream of a cluster: while it has
// no leader, a publish meets the same silence as where there is no stream.
const electionTime = 10 * time.Second

// PublishOptions are what a publisher may add to a job's message.
type PublishOptions struct {
	// TraceParent is a W3C traceparent; empty for none.
	TraceParent string
}

// Publish stores a job in JOBS. It asks the stream to accept the message only
// if its subject is free, so that repeating the call is harmless, and repeats
// it by itself while no answer comes and ctx lives.
//
// The errors wrap [ErrQueueFull], [ErrNoStream], [ErrPublishDenied] or
// [ErrPublishUnknown], or are a *[FieldError] for a job that is not valid.
func Publish(ctx context.Context, js jetstream.JetStream, job *Job, opts PublishOptions) (Publication, error) {
	if err := job.Validate(); err != nil {
		return Publication{}, fmt.Errorf("check job: %w", err)
	}
	body, err := job.Encode()
	if err != nil {
		return Publication{}, fmt.Errorf("encode job: %w", err)
	}
	msg := nats.NewMsg(job.Subject())
	msg.Data = body
	msg.Header.Set(HeaderID, job.ID)
	msg.Header.Set(HeaderKind, string(job.Kind))
	msg.Header.Set(HeaderVersion, strconv.Itoa(job.Version))
	if opts.TraceParent != "" {
		msg.Header.Set(HeaderTraceParent, opts.TraceParent)
	}
	return publish(ctx, js, msg)
}

// PublishRaw stores an already encoded job on a subject, byte for byte; a
// requeue uses it. The errors are those of [Publish].
func PublishRaw(ctx context.Context, js jetstream.JetStream, subject string, header nats.Header, body []byte) (Publication, error) {
	return publish(ctx, js, &nats.Msg{Subject: subject, Header: header, Data: body})
}

func publish(ctx context.Context, js jetstream.JetStream, msg *nats.Msg) (Publication, error) {
	publication := Publication{Subject: msg.Subject}
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = 100*time.Millisecond, 5*time.Second, 0
	var silent time.Time // since when nobody answers for the stream
	err := backoff.Retry(func() error {
		attempt, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		ack, err := js.PublishMsg(attempt, msg,
			jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithExpectStream(StreamName))
		if err == nil {
			publication.State, publication.Sequence = Queued, ack.Sequence
			return nil
		}
		nobody := isNobody(err)
		if err = classifyPublish(err, js.Conn(), msg.Subject); err == nil {
			publication.State = AlreadyQueued
			return nil
		}
		if errors.Is(err, ErrPublishUnknown) {
			return err
		}
		if nobody && js.Conn().ConnectedClusterName() != "" {
			if silent.IsZero() {
				silent = time.Now()
			}
			if time.Since(silent) < electionTime {
				return err
			}
		}
		return backoff.Permanent(err)
	}, backoff.WithContext(retry, ctx))
	if err == nil {
		return publication, nil
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, ErrPublishUnknown) {
		err = fmt.Errorf("%w: %w", ErrPublishUnknown, context.Cause(ctx))
	}
	return publication, fmt.Errorf("publish %s: %w", msg.Subject, err)
}

// Error codes of the JetStream API that a publish can meet.
const (
	codeWrongLastSequence         = 10071
	codeWrongLastSequenceNoNumber = 10164 // another publish on the subject is on its way in a replicated stream
	codeStreamStoreFailed         = 10077 // three different limits share this code
	codeAccountResources          = 10002 // the account's own limit
	codeInsufficientResources     = 10023
	codeResourceLimits            = 10047
	codeStreamNotMatch            = 10060
)

// classifyPublish is the error table of a publish. nil means that a job on the
// subject is already queued.
func classifyPublish(err error, nc *nats.Conn, subject string) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch int(api.ErrorCode) {
		case codeWrongLastSequence:
			return nil
		case codeWrongLastSequenceNoNumber:
			// A replicated stream says so while another publish is proposed and not
			// committed; if its leader falls then, nothing is stored. Asked again, it
			// accepts the job or says the other code.
			return fmt.Errorf("%w: another publish on the subject is on its way", ErrPublishUnknown)
		case codeStreamStoreFailed:
			// A full stream and a taken subject have one code; only the words tell
			// a job that is safe from a job that is lost.
			if strings.Contains(api.Description, "per subject") {
				return nil
			}
			return fmt.Errorf("%w: %s", ErrQueueFull, api.Description)
		case codeAccountResources, codeInsufficientResources, codeResourceLimits:
			return fmt.Errorf("%w: %s", ErrQueueFull, api.Description)
		case codeStreamNotMatch:
			return fmt.Errorf("%w: another stream than %s takes this subject", ErrNoStream, StreamName)
		}
		return fmt.Errorf("stream refused the job: %w", err)
	}
	switch {
	case isNobody(err):
		return fmt.Errorf("%w: create the streams with \"worker setup\", or switch JetStream on", ErrNoStream)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrMaxPayload):
		return err
	}
	if advice := deniedPublish(nc, subject); advice != "" {
		return fmt.Errorf("%w: %s", ErrPublishDenied, advice)
	}
	return fmt.Errorf("%w: %w", ErrPublishUnknown, err)
}

// isNobody reports that nobody takes the subject, or nobody at the moment.
func isNobody(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// deniedPublish looks for the server's answer to a forbidden publish, which
// arrives beside the publish and leaves that to time out, and returns what to do;
// empty for none. The connection keeps its last error for ever, so only one
// about this subject counts, or about the subscription to replies, without which
// no publish is ever confirmed.
func deniedPublish(nc *nats.Conn, subject string) (advice string) {
	last := nc.LastError()
	if last == nil || !errors.Is(last, nats.ErrPermissionViolation) {
		return ""
	}
	text := strings.ToLower(last.Error())
	inbox := cmp.Or(nc.Opts.InboxPrefix, strings.TrimSuffix(nats.InboxPrefix, "."))
	switch {
	case strings.Contains(text, strings.ToLower(`publish to "`+subject+`"`)):
		return fmt.Sprintf("allow this user to publish to %q", grantable(subject))
	case strings.Contains(text, strings.ToLower(`subscription to "`+inbox+`.`)):
		return fmt.Sprintf("it may receive no replies, so that a job may or may not be stored; "+
			"allow this user to subscribe to %q, or set nats.inbox_prefix", inbox+".>")
	}
	return ""
}

// grantable is the pattern for all jobs of the subject's kind.
func grantable(subject string) string {
	tail := strings.TrimPrefix(subject, SubjectPrefix)
	if kind, _, found := strings.Cut(tail, "."); found && tail != subject {
		return SubjectPrefix + kind + ".>"
	}
	return subject
}
