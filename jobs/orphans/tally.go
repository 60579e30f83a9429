package orphans

import (
	"hash/maphash"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
)

// tally counts what is kept, cheaply: there may be millions. It is not safe for
// several goroutines at once.
type tally struct {
	kept     map[receipt.Reason]*keptFiles
	listener func(receipt.PathRecord)
	// told are hashes of what the listener has heard, for a second listing.
	told map[uint64]bool
}

type keptFiles struct {
	counts   [len(guesses)]receipt.Count
	examples []string
}

func newTally(listener func(receipt.PathRecord)) *tally {
	return &tally{kept: map[receipt.Reason]*keptFiles{}, listener: listener, told: map[uint64]bool{}}
}

// anew counts from the beginning. The listener is told only what has changed.
func (t *tally) anew() { t.kept = map[receipt.Reason]*keptFiles{} }

var toldSeed = maphash.MakeSeed()

func (t *tally) keep(reason receipt.Reason, l storage.Location, size int64) {
	k := t.kept[reason]
	if k == nil {
		k = &keptFiles{}
		t.kept[reason] = k
	}
	g, size := guessOf(l.Key), max(size, 0)
	k.counts[g].Files++
	k.counts[g].Bytes += size
	if len(k.examples) < receipt.MaxPaths {
		k.examples = append(k.examples, receipt.Shorten(l.String()))
	}
	if t.listener == nil {
		return
	}
	hash := maphash.Comparable(toldSeed, struct {
		l      storage.Location
		reason receipt.Reason
	}{l, reason})
	if !t.told[hash] {
		t.told[hash] = true
		t.listener(receipt.PathRecord{Action: "kept", Kind: g.kind(), Location: l.String(), Bytes: size, Reason: reason})
	}
}

// total of a reason.
func (t *tally) total(reason receipt.Reason) (total receipt.Count) {
	if k := t.kept[reason]; k != nil {
		for _, c := range k.counts {
			total.Files, total.Bytes = total.Files+c.Files, total.Bytes+c.Bytes
		}
	}
	return total
}

// enter adds what was kept to the receipt, beside what is there.
func (t *tally) enter(rc *Receipt) {
	if rc.Kept == nil {
		rc.Kept = receipt.KeptFiles{}
	}
	for reason, k := range t.kept {
		kept := rc.Kept[reason]
		kept.Counts = kept.Counts.Clone()
		for g, c := range k.counts {
			if c.Files > 0 {
				kept.Counts.Add(guess(g).kind(), c.Files, c.Bytes)
			}
		}
		kept.Paths = receipt.CutPaths(append(kept.Paths, k.examples...), receipt.MaxPaths)
		rc.Kept[reason] = kept
	}
}
