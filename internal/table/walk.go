package table

import (
	"cmp"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"deckhand/internal/manifest"
)

// Visitor is told what a walk finds. Its methods are called from several
// goroutines, for one manifest from one at a time. An error stops the walk.
type Visitor interface {
	// Entry is called for each entry of manifest i, live or deleted. The entry's
	// slices are valid during the call.
	Entry(i int, e *manifest.Entry) error
	// End is called once after the entries of manifest i. err is nil when it was
	// read to its end, and says otherwise why it is absent or unreadable.
	End(i int, state State, err error) error
}

// entriesAhead is how many manifests show their entries at once. More are opened
// ahead, since opening is what takes time where they are small; but a visitor
// that is slower than the reading would else come to the end of none for long.
const entriesAhead = 4

// DefaultManifestsInFlight manifests are open at once in a [Walk]. Each costs well
// under a MiB.
const DefaultManifestsInFlight = 32

// WalkConfig says what a [Walk] reads.
type WalkConfig struct {
	// Chosen says which manifests are read. nil: all.
	Chosen func(i int) bool
	// InFlight manifests are open at once. Default [DefaultManifestsInFlight].
	InFlight int
	// Fields are the optional fields of entries that are decoded, beside
	// [manifest.FieldFormat], which always is.
	Fields manifest.Fields
}

// Walk reads the chosen manifests and shows their entries to the visitor. They come
// nearly in their order: when manifest n shows its entries, all but three of those
// before it are finished. The error is the visitor's, or means that reading was
// stopped or that trying later may help; then it names the manifest.
func Walk(ctx context.Context, from Opener, manifests []*Manifest, c WalkConfig, visitor Visitor) error {
	group, walking := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(c.InFlight, DefaultManifestsInFlight))
	order, number := newTurns(entriesAhead), 0
	for i := range manifests {
		if c.Chosen != nil && !c.Chosen(i) {
			continue
		}
		if walking.Err() != nil {
			break
		}
		mine := number
		number++
		group.Go(func() error {
			visitErr, readErr := walkManifest(walking, from, i, manifests[i], c.Fields, visitor,
				func() error { return order.enter(walking, mine) })
			if visitErr != nil {
				return visitErr
			}
			state, temporary := StateOf(readErr)
			if temporary {
				return fmt.Errorf("read manifest %s: %w", manifests[i].Path, readErr)
			}
			if err := visitor.End(i, state, readErr); err != nil {
				return err
			}
			order.leave(mine) // not on an error: those behind are to stop, not to go on
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// walkManifest tells the visitor's error from that of reading, since only the
// latter says something about the manifest.
func walkManifest(ctx context.Context, from Opener, i int, m *Manifest, fields manifest.Fields, visitor Visitor, turn func() error) (visitErr, readErr error) {
	body, err := OpenManifest(ctx, from, &m.ListEntry)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	reader, err := manifest.NewReader(body, m.Path, fields|manifest.FieldFormat)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	if err := turn(); err != nil {
		return err, nil
	}
	var entry manifest.Entry
	for {
		more, err := reader.Next(&entry)
		switch {
		case err != nil:
			return nil, err
		case !more:
			return nil, nil
		}
		if err := visitor.Entry(i, &entry); err != nil {
			return err, nil
		}
	}
}
