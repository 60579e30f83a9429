package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// What keeps a process from working with NATS. Each is wrapped in a sentence
// that says what to do.
var (
	// ErrUnreachable: no answer came in time.
	ErrUnreachable = errors.New("NATS does not answer")
	// ErrServerTooOld: the server lacks what the protocol needs.
	ErrServerTooOld = errors.New("NATS server is too old")
	// ErrJetStreamOff: the server or the account has no JetStream.
	ErrJetStreamOff = errors.New("JetStream is off")
	// ErrNoAssets: streams, buckets or consumers are missing.
	ErrNoAssets = errors.New("streams are missing")
	// ErrMismatch: streams, buckets or consumers are configured in a way that
	// breaks a promise.
	ErrMismatch = errors.New("streams are not as they must be")
	// ErrAccountFull: the account's storage limit leaves no room.
	ErrAccountFull = errors.New("account has no room")
	// ErrStreamFull: a stream or bucket reached its limit.
	ErrStreamFull = errors.New("stream is full")
	// ErrDenied: the user may not do this.
	ErrDenied = errors.New("denied by the NATS server")
)

// Why a run was stopped, as [context.Cause] of the handler's context tells.
var (
	// ErrShutdown: the worker shuts down; the job comes back.
	ErrShutdown = errors.New("worker shuts down")
	// ErrLeaseLost: the lease could not be renewed in time, or another worker
	// has it. Nothing may be written any more.
	ErrLeaseLost = errors.New("lease is lost")
	// ErrCanceled: someone removed the job from JOBS.
	ErrCanceled = errors.New("job was canceled")
	// ErrStalled: the handler showed no sign of life for the stall timeout.
	ErrStalled = errors.New("job stalled")
	// errSettledElsewhere: another worker recorded the job's end.
	errSettledElsewhere = errors.New("job was settled by another worker")
)

// Answers to a person who operates the queue.
var (
	// ErrHeld: another worker holds the lease; see [HeldError].
	ErrHeld = errors.New("held by another worker")
	// ErrNotQueued: JOBS has no such job.
	ErrNotQueued = errors.New("no such job is queued")
	// ErrRemoved: the job left JOBS, and nothing says how it ended.
	ErrRemoved = errors.New("job was removed from the queue without a record")
	// ErrNoDeadLetter: DEAD has no such letter.
	ErrNoDeadLetter = errors.New("no such dead letter")
	// ErrFinished: the job has a terminal result already.
	ErrFinished = errors.New("job has finished already")
)

// Error codes of the JetStream API, from the server's errors.json.
const (
	codeAccountResources      = 10002 // "resource limits exceeded for account"
	codeInsufficientResources = 10023
	codeMemoryResources       = 10028
	codeStorageResources      = 10047
	codeStoreFailed           = 10077 // a limit of the stream; the words say which
	codeSequenceNotFound      = 10043
	codeSubjectsOverlap       = 10065
	codeTooManyStreams        = 10027
)

// isConflict reports a lost compare-and-set. Replicated streams answer with
// another code than single ones.
func isConflict(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// isRefusal reports an answer of the server, as opposed to none.
func isRefusal(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api)
}

// explain turns an error of the client into one that says what is wrong with
// NATS and what to do. doing is a verb and a noun; subject is what was published
// to, by which a denial is recognised.
func explain(nc *nats.Conn, doing, subject string, err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch int(api.ErrorCode) {
		case codeAccountResources, codeInsufficientResources, codeMemoryResources, codeStorageResources:
			return fmt.Errorf("%s: %w (%w); raise the account's limit or lower the streams' limits", doing, ErrAccountFull, err)
		case codeStoreFailed:
			name := streamOf(subject)
			return fmt.Errorf("%s: %w: %s (%w); raise the limit of %s or remove what is old", doing, ErrStreamFull, name, err, name)
		}
	}
	advice, isDenied := denied(nc, subject)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s: %w on %s; start the server with JetStream", doing, ErrJetStreamOff, serverName(nc))
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%s: %w for this account on %s; enable it for the account", doing, ErrJetStreamOff, serverName(nc))
	case errors.Is(err, nats.ErrConnectionClosed), nc.IsClosed():
		return fmt.Errorf("%s: %w", doing, nats.ErrConnectionClosed)
	case isDenied && !isRefusal(err):
		return fmt.Errorf("%s: %w: %s", doing, ErrDenied, advice)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("%s: %w at %s: %w", doing, ErrUnreachable, serverName(nc), err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// streamOf is the stream that stores a subject.
func streamOf(subject string) string {
	for prefix, stream := range map[string]string{
		jobs.SubjectPrefix: jobs.StreamName, jobs.DeadSubjectPrefix: deadStream, jobs.ResultSubjectPrefix: resultsStream,
		"$KV." + locksBucket: locksStream, "$KV." + progressBucket: progressStream,
		"$KV." + shardsBucket: shardsStream,
	} {
		if strings.HasPrefix(subject, prefix) {
			return stream
		}
	}
	return "the stream of " + subject
}

func serverName(nc *nats.Conn) string {
	if url := nc.ConnectedUrlRedacted(); url != "" {
		return url
	}
	return strings.Join(redacted(nc.Servers()), ", ")
}

// redacted cuts user and password out of URLs.
func redacted(urls []string) []string {
	out := make([]string, len(urls))
	for i, url := range urls {
		scheme, rest, found := strings.Cut(url, "://")
		if at := strings.LastIndex(rest, "@"); found && at >= 0 {
			url = scheme + "://" + rest[at+1:]
		}
		out[i] = url
	}
	return out
}

// The oldest server that has consumer pause and limit markers.
const minMajor, minMinor = 2, 11

// checkServer refuses a server that is too old.
func checkServer(nc *nats.Conn) error {
	if nc.IsClosed() {
		return fmt.Errorf("check server: %w", nats.ErrConnectionClosed)
	}
	version := nc.ConnectedServerVersion()
	if version == "" {
		return fmt.Errorf("check server: %w at %s: not connected", ErrUnreachable, serverName(nc))
	}
	major, minor := parseVersion(version)
	if major > minMajor || major == minMajor && minor >= minMinor {
		return nil
	}
	return fmt.Errorf("%w: %s runs version %s, and %d.%d or newer is needed; upgrade it",
		ErrServerTooOld, serverName(nc), version, minMajor, minMinor)
}

// atLeast reports whether the connected server has a version.
func atLeast(nc *nats.Conn, major, minor int) bool {
	foundMajor, foundMinor := parseVersion(nc.ConnectedServerVersion())
	return foundMajor > major || foundMajor == major && foundMinor >= minor
}

func parseVersion(version string) (major, minor int) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0, 0
	}
	major, _ = strconv.Atoi(parts[0])
	minor, _ = strconv.Atoi(parts[1])
	return major, minor
}

// oneLine is the first line of a text, cut to 1 KiB: what fits a header.
func oneLine(text string) string {
	const limit = 1 << 10
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r", " "), "?")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit-3], "") + "..."
	}
	return text
}
