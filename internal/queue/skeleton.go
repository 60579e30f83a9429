package queue

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// AssetsConfig says how the streams and buckets are to be made.
type AssetsConfig struct {
	// Replicas of each stream and bucket, 1 to 5. Default 1; use 3 on a cluster.
	Replicas int
	// AckWait is how long a job may go without a sign of life before it is
	// delivered again, and the time to live of a lease. All other times derive
	// from it. Default 2 minutes, at least 1 second.
	AckWait time.Duration
	// Limits in bytes. Their sum must fit the account. Defaults: 1 GiB, 256 MiB,
	// 256 MiB, 16 MiB, 128 MiB.
	JobsMaxBytes, DeadMaxBytes, ResultsMaxBytes, LocksMaxBytes, ProgressMaxBytes int64
	// Update overwrites what differs, instead of reporting it.
	Update bool
}

// Difference is one setting of an asset that is not what this version wants.
type Difference struct {
	Asset string `json:"asset"`
	Field string `json:"field"`
	Found string `json:"found"`
	Want  string `json:"want"`
	// Fatal differences break a promise; workers refuse to run with them.
	Fatal bool `json:"fatal"`
}

func (c AssetsConfig) WithDefaults() AssetsConfig { return c }
func (c AssetsConfig) Validate() error            { return nil }

// Setup creates what is missing.
func Setup(ctx context.Context, js jetstream.JetStream, cfg AssetsConfig) (created []string, differences []Difference, err error) {
	return nil, nil, errors.ErrUnsupported
}

// Check reports differences without creating anything.
func Check(ctx context.Context, js jetstream.JetStream, cfg AssetsConfig) ([]Difference, error) {
	return nil, errors.ErrUnsupported
}

var (
	ErrServerTooOld = errors.New("NATS server is too old")
	ErrJetStreamOff = errors.New("JetStream is off")
	ErrNoAssets     = errors.New("streams are missing")   // says: run "worker setup"
	ErrMismatch     = errors.New("streams are not as they must be") // fatal differences
	ErrAccountFull  = errors.New("account is full")
	ErrDenied       = errors.New("denied by the NATS server")
	ErrUnreachable  = errors.New("NATS does not answer")

	// causes of a run's end
	ErrShutdown  = errors.New("worker shuts down")
	ErrLeaseLost = errors.New("lease lost")
	ErrCanceled  = errors.New("job canceled")
	ErrStalled   = errors.New("job stalled")

	// operating
	ErrHeld         = errors.New("held by another worker")
	ErrNotQueued    = errors.New("no such job is queued")
	ErrNoDeadLetter = errors.New("no such dead letter")
	ErrFinished     = errors.New("job has finished already")
)

// Config of a [Queue].
type Config struct {
	AckWait      time.Duration // expected; 0 takes what the assets say
	StallTimeout time.Duration // 15m
	Drain        time.Duration // 25s
}

// Queue is the opened assets.
type Queue struct{}

// Open checks server and assets once.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Queue, error) {
	return nil, errors.ErrUnsupported
}

// OpenWhenReady is Open, repeated while waiting can help; it logs once, then each minute, what it waits for.
func OpenWhenReady(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (*Queue, error) {
	return nil, errors.ErrUnsupported
}

// Worker runs jobs.
type Worker struct{}

func NewWorker(q *Queue, cfg WorkerConfig) (*Worker, error) { return nil, errors.ErrUnsupported }

// Run works until ctx ends (nil after draining) or the connection is closed (an error).
func (w *Worker) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Healthy for /livez.
func (w *Worker) Healthy() error { return nil }

// Ready for /readyz.
func (w *Worker) Ready() error { return nil }

// Running is how many jobs of each kind run now, and ProgressAge the longest time since one of a kind made progress.
func (w *Worker) Running() map[jobs.Kind]int                { return nil }
func (w *Worker) ProgressAge() map[jobs.Kind]time.Duration { return nil }

// Holder is who holds a lease.
type Holder struct {
	Worker string         `json:"worker"`
	Job    string         `json:"job"`
	Kind   jobs.Kind      `json:"kind"`
	Since  jobs.Timestamp `json:"since"`
}

// HeldError says who holds a lease; errors.Is(err, ErrHeld).
type HeldError struct {
	Key    string
	Holder Holder
}

func (e *HeldError) Error() string        { return "" }
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Lease renews itself until Release.
type Lease struct{}

func (q *Queue) Acquire(ctx context.Context, key string, holder Holder) (*Lease, error) {
	return nil, errors.ErrUnsupported
}

// Context is canceled with ErrLeaseLost when the lease is lost.
func (l *Lease) Context() context.Context          { return nil }
func (l *Lease) Release(ctx context.Context) error { return nil }

// DeadLetter is one message of DEAD.
type DeadLetter struct {
	Subject     string         `json:"subject"` // in DEAD
	JobSubject  string         `json:"job_subject"`
	Tail        string         `json:"tail"`
	Sequence    uint64         `json:"seq"` // in DEAD
	Reason      string         `json:"reason"`
	Error       string         `json:"error"`
	Attempts    int            `json:"attempts"`
	Worker      string         `json:"worker"`
	Time        jobs.Timestamp `json:"time"`
	JobSequence uint64         `json:"job_seq"`
	Body        []byte         `json:"-"`
	Checkpoint  []byte         `json:"-"`
}

// DeadLetters yields the letters oldest first whose tail matches; tailFilter may hold NATS wildcards, "" is all.
func (q *Queue) DeadLetters(ctx context.Context, tailFilter string) iter.Seq2[*DeadLetter, error] {
	return nil
}

// DeadLetter is the newest letter of a tail or subject (jobs.…, dead.… or results.… or the bare tail).
func (q *Queue) DeadLetter(ctx context.Context, tailOrSubject string) (*DeadLetter, error) {
	return nil, errors.ErrUnsupported
}

// Requeue publishes the newest letter's body again, then removes the letter; on AlreadyQueued the letter stays.
func (q *Queue) Requeue(ctx context.Context, tailOrSubject string) (jobs.Publication, error) {
	return jobs.Publication{}, errors.ErrUnsupported
}

// Drop removes the newest letter.
func (q *Queue) Drop(ctx context.Context, tailOrSubject string) error { return errors.ErrUnsupported }

// Cancel records the result, then removes the job.
func (q *Queue) Cancel(ctx context.Context, tailOrSubject, by string) error {
	return errors.ErrUnsupported
}

// LastResult is the newest record of a tail and its sequence; nil, 0, nil when there is none.
func (q *Queue) LastResult(ctx context.Context, tail string) (*jobs.Result, uint64, error) {
	return nil, 0, errors.ErrUnsupported
}

// WaitResult waits for the end of a job that was just published.
func WaitResult(ctx context.Context, js jetstream.JetStream, job *jobs.Job) (*jobs.Result, error) {
	return nil, errors.ErrUnsupported
}

// Pause stops deliveries of a kind until a time; running jobs go on.
func (q *Queue) Pause(ctx context.Context, kind jobs.Kind, until time.Time) error {
	return errors.ErrUnsupported
}
func (q *Queue) Resume(ctx context.Context, kind jobs.Kind) error { return errors.ErrUnsupported }
