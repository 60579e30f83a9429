package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"deckhand/internal/manifest"
	"deckhand/internal/receipt"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/internal/tabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const home = "s3://warehouse/t"

// yard is a store with the manifests of a table, and counts what is deleted.
type yard struct {
	t         *testing.T
	server    *s3test.Server
	stores    *storage.Stores
	manifests []*table.Manifest
	// files are the keys that entries name, kept those of them that the judge keeps.
	files, kept []string

	mu sync.Mutex
	// deleted counts the deletes of each key that the store has carried out.
	deleted map[string]int
	// refused keys are not deleted.
	refused map[string]bool
	request func(n int)
	n       int
}

// newYard makes manifests of some entries each: most name a file of their own, some
// one that another entry names, in the same manifest or in another one, some a file
// that is kept.
func newYard(t *testing.T, seed uint64, manifests, entries int) *yard {
	y := &yard{
		t: t, server: s3test.Start(t, s3test.Options{DeleteAlwaysOK: true}),
		deleted: map[string]int{}, refused: map[string]bool{},
	}
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	h := tabletest.HandmadeTable{Location: home, Root: home + "/metadata/1.metadata.json"}
	for m := range manifests {
		made := tabletest.HandmadeManifest{Path: fmt.Sprintf("%s/metadata/m%03d.avro", home, m)}
		for e := range entries {
			key := fmt.Sprintf("t/data/%03d-%04d", random.IntN(manifests), random.IntN(entries))
			switch random.IntN(8) {
			case 0: // perhaps another entry's
			case 1:
				key = fmt.Sprintf("t/kept/%03d-%04d", m, e)
			default:
				key = fmt.Sprintf("t/data/%03d-%04d", m, e)
			}
			made.Entries = append(made.Entries, tabletest.HandmadeEntry{Status: 1, Path: "s3://warehouse/" + key, Size: 1})
			if strings.HasPrefix(key, "t/kept/") {
				y.kept = append(y.kept, key)
			} else {
				y.files = append(y.files, key)
			}
		}
		h.Manifests = append(h.Manifests, made)
		y.manifests = append(y.manifests, &table.Manifest{ListEntry: manifest.ListEntry{Path: made.Path, Length: -1, AddedFiles: -1}})
	}
	for _, keys := range []*[]string{&y.files, &y.kept} {
		slices.Sort(*keys)
		*keys = slices.Compact(*keys)
	}
	require.NoError(t, h.Objects().Load(y.server))
	var err error
	y.stores, err = storage.NewStores(storage.Config{
		Name: "lake", Locations: []string{home}, S3: y.server.StorageConfig(), Retries: -1,
	}, storage.NewLimiters())
	require.NoError(t, err)
	t.Cleanup(func() { _ = y.stores.Close() })
	y.server.Fault(y.fault)
	return y
}

func (y *yard) fault(_ int64, op string, r *http.Request) *s3test.Fault {
	if op != "DeleteObjects" {
		return nil
	}
	y.mu.Lock()
	y.n++
	n, request := y.n, y.request
	y.mu.Unlock()
	if request != nil {
		request(n)
	}
	return &s3test.Fault{Key: func(key string) string {
		y.mu.Lock()
		defer y.mu.Unlock()
		if y.refused[key] {
			return "AccessDenied"
		}
		y.deleted[key]++
		return ""
	}}
}

// atBatch sets what is called for each batch of deletes, before it is carried out.
func (y *yard) atBatch(call func(n int)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.request = call
}

// batches is how many have come since take was called.
func (y *yard) batches() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.n
}

// take gives what was deleted since it was asked last.
func (y *yard) take() map[string]int {
	y.server.Settle()
	y.mu.Lock()
	defer y.mu.Unlock()
	deleted := y.deleted
	y.deleted, y.n = map[string]int{}, 0
	return deleted
}

// ledger is a [Judge] that notes all that it is told.
type ledger struct {
	seen *Seen

	mu                     sync.Mutex
	deleted, kept, refused map[string]int
	ended                  map[int]int
}

func newLedger() *ledger {
	return &ledger{seen: NewSeen(), deleted: map[string]int{}, kept: map[string]int{}, refused: map[string]int{}, ended: map[int]int{}}
}

func (l *ledger) Entry(_ int, e *manifest.Entry) (storage.Location, bool, error) {
	location, err := storage.Parse(string(e.Path))
	if err != nil {
		return location, false, err
	}
	if l.seen.Before(location) {
		return location, false, nil
	}
	if strings.HasPrefix(location.Key, "t/kept/") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.kept[location.Key]++
		return location, false, nil
	}
	return location, true, nil
}

func (l *ledger) End(i int, state table.State, _ error) bool {
	l.ended[i]++
	return state == table.Read
}

func (l *ledger) Deleted(at storage.Location, _ receipt.Kind, _ int64) { l.deleted[at.Key]++ }

func (l *ledger) Refused(at storage.Location, _ receipt.Kind, _ int64, _ error) { l.refused[at.Key]++ }

var errKilled = errors.New("killed")

// job is what outlives the runs.
type job struct {
	y       *yard
	batches int
	size    int

	mu     sync.Mutex
	stored []byte
	dead   bool
	kill   context.CancelCauseFunc
}

// die is SIGKILL: nothing is stored from now on, and what was sent is carried out.
func (j *job) die() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead = true
	j.kill(errKilled)
}

func (j *job) run() (*ledger, error) {
	ctx, kill := context.WithCancelCause(j.y.t.Context())
	defer kill(nil)
	j.mu.Lock()
	j.kill, j.dead = kill, false
	j.mu.Unlock()
	_, stride := Plan(j.y.manifests)
	judge := newLedger()
	guard, err := storage.NewGuard(home)
	require.NoError(j.y.t, err)
	entries := Entries{
		From: j.y.stores.Session(storage.SessionConfig{}), With: j.y.stores.Session(storage.SessionConfig{Guard: guard}),
		Manifests: j.y.manifests, Done: j.stored, Stride: stride, Judge: judge, Batches: j.batches, batchSize: j.size,
		Logger: slog.New(slog.DiscardHandler),
		Save: func(_ context.Context, done []byte) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			require.LessOrEqual(j.y.t, len(done), 5<<10)
			if j.dead {
				return errKilled
			}
			j.stored = done
			return nil
		},
	}
	done, err := entries.Run(ctx)
	if err == nil {
		j.stored = done
	}
	return judge, err
}

// once is a count of one for each key.
func once(keys []string) map[string]int {
	counts := map[string]int{}
	for _, key := range keys {
		counts[key] = 1
	}
	return counts
}

// jitter holds batches up so that they end out of order.
func jitter(seed uint64) func(int) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test
	return func(int) {
		mu.Lock()
		pause := time.Duration(random.IntN(4)) * time.Millisecond
		mu.Unlock()
		time.Sleep(pause)
	}
}

// both has the keys of two counts.
func both(a, b map[string]int) map[string]int {
	sum := maps.Clone(a)
	for key, n := range b {
		sum[key] += n
	}
	return sum
}
