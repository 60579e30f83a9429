package manifests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"deckhand/internal/manifest"
	"deckhand/internal/table"
)

// reading is some manifests of one group that are read side by side.
type reading struct {
	from    table.Opener
	layout  *manifest.Layout
	sources []*source
	// order of the partition fields in keys.
	order []int
	// watch is told of every live entry of a manifest, from several goroutines; nil:
	// nobody is. The error ends the reading.
	watch func(s *source, t *manifest.Transcript) error
	// fate of each entry; nil: all stay.
	fate func(t *manifest.Transcript) fate

	mu sync.Mutex
	// bad says why manifests must stay, by their index.
	bad map[int]error
}

// taker is given what is read of one manifest, by its index. It is used by one
// goroutine.
type taker interface {
	// entry of the partition with the key. gone: of a file that is removed.
	entry(t *manifest.Transcript, key []byte, number int32, gone bool) error
	// end follows the last entry.
	end() error
}

// errStays says that a manifest must stay as it is.
type errStays struct{ err error }

func (e *errStays) Error() string { return e.err.Error() }
func (e *errStays) Unwrap() error { return e.err }

// read reads one manifest. A failure of the manifest itself is entered in bad.
func (r *reading) read(ctx context.Context, i int, into taker) error {
	err := r.readThrough(ctx, r.sources[i], into)
	var stays *errStays
	if errors.As(err, &stays) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.bad == nil {
			r.bad = map[int]error{}
		}
		r.bad[i] = stays.err
		return nil
	}
	return err
}

// failure sorts an error of reading a manifest.
func failure(s *source, err error) error {
	var no *manifest.NotCarriedError
	if errors.As(err, &no) {
		return &errStays{err}
	}
	if _, temporary := table.StateOf(err); !temporary {
		return &errStays{err}
	}
	return fmt.Errorf("read manifest %s: %w", s.Path, err)
}

func (r *reading) readThrough(ctx context.Context, s *source, into taker) error {
	if s.HasKeyMetadata {
		return &errStays{table.ErrEncrypted}
	}
	body, err := table.OpenManifest(ctx, r.from, &s.ListEntry)
	if err != nil {
		return failure(s, err)
	}
	defer func() { _ = body.Close() }()
	transcriber, err := manifest.NewTranscriber(body, &s.ListEntry, r.layout)
	if err != nil {
		return failure(s, err)
	}
	defer func() { _ = transcriber.Close() }()
	var t manifest.Transcript
	var key, last []byte
	live := int64(0)
	for {
		more, err := transcriber.Next(&t)
		if err != nil {
			return failure(s, err)
		}
		if !more {
			break
		}
		if live == 0 || !bytes.Equal(last, t.Partition) {
			last = append(last[:0], t.Partition...)
			if key, err = r.layout.Partition().AppendKey(key[:0], t.Partition, r.order...); err != nil {
				return &errStays{&manifest.CorruptError{Name: s.Path, Err: err}}
			}
		}
		live++
		if r.watch != nil {
			if err := r.watch(s, &t); err != nil {
				return err
			}
		}
		becomes := stays
		if r.fate != nil {
			becomes = r.fate(&t)
		}
		if becomes == leftOut {
			continue
		}
		if err := into.entry(&t, key, int32(live), becomes == removed); err != nil {
			return err
		}
	}
	if told := s.live(); told >= 0 && told != live {
		return &errStays{&manifest.CorruptError{Name: s.Path,
			Err: fmt.Errorf("it has %d live entries, the manifest list says %d", live, told)}}
	}
	return into.end()
}
