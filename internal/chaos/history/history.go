package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// What happened.
type What string

// Values of [What].
const (
	// Published: a job was accepted by the queue, or is there already.
	Published What = "published"
	// Ended: a record in RESULTS.
	Ended What = "ended"
	// Planned: the job of a big table has made others.
	Planned What = "planned"
	// Begins and Settled are a worker's own words on a delivery.
	Begins  What = "begins"
	Settled What = "settled"
	// Spent: a worker says that it could not give back the attempt which an outage took.
	Spent What = "spent"
	// Asked: the store got a request of a worker, or the catalog one for a change.
	Asked What = "asked"
	// Swept: a worker says that it put something right in the queue.
	Swept What = "swept"
	// Storm: something was broken or mended on purpose.
	Storm What = "storm"
	// Met: a storm that came to pass, or one request that went wrong on purpose.
	Met What = "met"
	// Woken: a stopped process goes on.
	Woken What = "woken"
	// Exited: a worker's process is gone.
	Exited What = "exited"
	// Committed: a writer changed a living table.
	Committed What = "committed"
)

// Event is one line of the record. Which fields are filled depends on What.
type Event struct {
	At   time.Time `json:"at"`
	What What      `json:"what"`
	// Worker process, by a name that no later process has.
	Worker string `json:"worker,omitempty"`
	// Job, by its id; Tail and Sequence in JOBS of its message.
	Job      string `json:"job,omitempty"`
	Tail     string `json:"tail,omitempty"`
	Sequence uint64 `json:"seq,omitempty"`
	Attempt  int    `json:"attempt,omitempty"`
	// Lock key under which the work is done.
	Lock string `json:"lock,omitempty"`
	// Op of the store, and the first of Keys keys.
	Op   string `json:"op,omitempty"`
	Key  string `json:"key,omitempty"`
	Keys int    `json:"keys,omitempty"`
	// Entries says that the request is about what manifests name, or a manifest: what
	// shards of a purge share out among them.
	Entries bool `json:"entries,omitempty"`
	// Storm that was met, or the kind of fault.
	Storm string `json:"storm,omitempty"`
	// Ran is how long a handler ran.
	Ran time.Duration `json:"ran,omitempty"`
	// Did is how much a job for a living table did: snapshots that it removed, files
	// that it took away, manifests that it replaced.
	Did int `json:"did,omitempty"`
	// Text for people; the outcome of a job.
	Text string `json:"text,omitempty"`
}

// Record of one run. Its methods are safe for many goroutines.
type Record struct {
	path string

	mu     sync.Mutex
	events []Event
	file   *os.File
	lines  *bufio.Writer
	err    error
}

// Create begins a record in a new file.
func Create(path string) (*Record, error) {
	file, err := os.Create(path) //nolint:gosec // the run's own folder
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	return &Record{path: path, file: file, lines: bufio.NewWriter(file)}, nil
}

// Path of the file.
func (r *Record) Path() string { return r.path }

// Add appends an event. Without a time it is now.
func (r *Record) Add(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	line, err := json.Marshal(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	if err == nil {
		_, err = r.lines.Write(append(line, '\n'))
	}
	r.err = errors.Join(r.err, err)
}

// Events are all so far, in the order of their times.
func (r *Record) Events() []Event {
	r.mu.Lock()
	sorted := slices.Clone(r.events)
	r.mu.Unlock()
	slices.SortStableFunc(sorted, func(a, b Event) int { return a.At.Compare(b.At) })
	return sorted
}

// Close writes what is left of the file.
func (r *Record) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.lines.Flush(), r.file.Close())
}
