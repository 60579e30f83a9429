package maintenancetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	iceberg "github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance"
	"deckhand/internal/polaris"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

// Ledger is a catalog of one table that changes its metadata as JSON, so that also
// tables can be in it that no library writes. What it takes and refuses follows
// Iceberg's Java library (TableMetadata.Builder), refs of removed snapshots
// included, which it drops without a word. It vends no credentials.
//
// Its fields are set while no request is under way, or by Fault and Race.
type Ledger struct {
	// Location of the current metadata file; "" when the table is gone.
	Location string
	// Requests counts loads and commits since it was last set.
	Requests int
	// Fault is asked before each request, n being its number from 1 and op "load" or
	// "commit"; nil: all goes well.
	Fault func(n int, op string) Fault
	// Race runs once, between the arrival of a commit and its check.
	Race func()
	// Commits are the actions of each commit that was asked for and not lost.
	Commits [][]string
	// Lenient takes old snapshots back, as catalogs may that are none of Java's.
	Lenient bool

	yard    *Yard
	mu      sync.Mutex
	version int
}

var _ maintenance.Client = (*Ledger)(nil)

// Fault spoils one request.
type Fault struct {
	// Err is the answer; nil: the request goes well.
	Err error
	// Served: the request is carried out all the same.
	Served bool
}

// ErrUnknown is what a client says when the answer to a commit was lost.
var ErrUnknown = errors.Join(polaris.ErrStateUnknown, errors.New("the answer was lost"))

func (l *Ledger) begin(op string) Fault {
	l.mu.Lock()
	l.Requests++
	n, decide := l.Requests, l.Fault
	l.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(n, op)
}

// Load implements [maintenance.Client].
func (l *Ledger) Load(ctx context.Context, _ polaris.Identifier, _ polaris.LoadOptions) (*polaris.Loaded, error) {
	if f := l.begin("load"); f.Err != nil {
		return nil, f.Err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.Current()
}

// Current is the table as it stands. It counts as no request.
func (l *Ledger) Current() (*polaris.Loaded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current()
}

func (l *Ledger) current() (*polaris.Loaded, error) {
	if l.Location == "" {
		return nil, fmt.Errorf("load: %w", polaris.ErrNotFound)
	}
	raw := l.yard.plain(l.Location)
	m, err := table.Parse(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return &polaris.Loaded{MetadataLocation: l.Location, Metadata: m, RawMetadata: raw}, nil
}

// plain gives a metadata file, inflated.
func (y *Yard) plain(location string) []byte {
	data := y.Get(location)
	if len(data) > 2 && data[0] == 0x1f {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = io.ReadAll(r)
		}
		if err != nil {
			panic(err)
		}
	}
	return data
}

// Stores implements [maintenance.Client].
func (l *Ledger) Stores(_ context.Context, _ polaris.Identifier, _ *polaris.Loaded, base storage.Config, limiters *storage.Limiters) (*storage.Stores, error) {
	return storage.NewStores(base, limiters)
}

// Commit implements [maintenance.Client].
func (l *Ledger) Commit(ctx context.Context, _ polaris.Identifier, requirements []iceberg.Requirement, updates []iceberg.Update) (*polaris.Loaded, error) {
	fault := l.begin("commit")
	if fault.Err != nil && !fault.Served {
		return nil, fault.Err
	}
	if fault.Err == nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l.raced()
	var actions []string
	for _, u := range updates {
		actions = append(actions, u.Action())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Commits = append(l.Commits, actions)
	if err := l.apply(encode(requirements), encode(updates)); err != nil {
		return nil, err
	}
	if fault.Err != nil {
		return nil, fault.Err
	}
	return l.current()
}

func (l *Ledger) raced() {
	if race := l.Race; race != nil {
		l.Race = nil
		race()
	}
}

// Change commits as another writer, without requirements. Updates are as in the
// REST API. It panics when they are refused.
func (l *Ledger) Change(updates ...Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.apply([]byte("[]"), encode(updates)); err != nil {
		panic(err)
	}
}

func (l *Ledger) apply(rawRequirements, rawUpdates []byte) error {
	if l.Location == "" {
		return fmt.Errorf("commit: %w", polaris.ErrNotFound)
	}
	var m Object
	var requirements, updates []Object
	decode(l.yard.plain(l.Location), &m)
	decode(rawRequirements, &requirements)
	decode(rawUpdates, &updates)
	if m["refs"] == nil {
		refs := Object{}
		if id := m["current-snapshot-id"]; id != nil && text(id) != "-1" {
			refs["main"] = Object{"snapshot-id": id, "type": "branch"}
		}
		m["refs"] = refs
	}
	for _, r := range requirements {
		if err := check(m, r); err != nil {
			return err
		}
	}
	for _, u := range updates {
		if err := change(m, u, l.Lenient); err != nil {
			return err
		}
	}
	log, _ := m["metadata-log"].([]any)
	m["metadata-log"] = append(log, Object{"metadata-file": l.Location, "timestamp-ms": m["last-updated-ms"]})
	l.version++
	parsed, err := storage.Parse(l.Location)
	if err != nil {
		return err
	}
	next := parsed.Parent().Join(fmt.Sprintf("ledger-%05d.metadata.json", l.version)).String()
	l.yard.Load(tabletest.Objects{next: encode(m)})
	l.Location = next
	return nil
}
