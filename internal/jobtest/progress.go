package jobtest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/jobs"
)

// Progress is a job's progress kept in memory, with the limits of the real one.
// The zero value is that of a job that never ran.
type Progress struct {
	// Fail is the error of Save once FailAfter checkpoints were stored; with a
	// FailAfter of 0 every time, else once.
	Fail      error
	FailAfter int
	// Before is how the job has ended before.
	Before *jobs.Result

	mu         sync.Mutex
	checkpoint json.RawMessage
	attempt    int
	saves      int
}

var _ jobs.Progress = (*Progress)(nil)

// After is the progress of a job of which an earlier run saved a checkpoint.
func After(checkpoint json.RawMessage) *Progress { return &Progress{checkpoint: checkpoint} }

// maxCheckpoint and maxReceipt are the limits of the queue, in bytes of JSON.
const (
	maxCheckpoint = 16 << 10
	maxReceipt    = 60 << 10
)

// Attempt implements [jobs.Progress].
func (p *Progress) Attempt() int { return p.attempt }

// Alive implements [jobs.Progress].
func (p *Progress) Alive() {}

// Earlier implements [jobs.Progress].
func (p *Progress) Earlier() *jobs.Result { return p.Before }

// Checkpoint implements [jobs.Progress].
func (p *Progress) Checkpoint() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkpoint
}

// Saves is how many checkpoints were stored.
func (p *Progress) Saves() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saves
}

// Save implements [jobs.Progress].
func (p *Progress) Save(ctx context.Context, checkpoint any, _ jobs.Counters) error {
	encoded, err := json.Marshal(checkpoint)
	if err != nil {
		return err
	}
	if len(encoded) > maxCheckpoint {
		panic("checkpoint is larger than 16 KiB")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.Fail; err != nil && p.saves >= p.FailAfter {
		if p.FailAfter > 0 {
			p.Fail = nil
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.checkpoint = encoded
	p.saves++
	return nil
}

// Run runs a handler once and gives its receipt, which is of type *R.
func Run[R any](ctx context.Context, t testing.TB, handler jobs.Handler, job *jobs.Job, progress *Progress) (*R, error) {
	t.Helper()
	progress.attempt++
	receipt, err := handler.Run(ctx, job, progress)
	require.NotNil(t, receipt)
	encoded, encodeErr := json.Marshal(receipt)
	require.NoError(t, encodeErr)
	require.LessOrEqual(t, len(encoded), maxReceipt)
	return receipt.(*R), err
}
