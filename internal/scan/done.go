package scan

import "deckhand/internal/receipt"

// maxTrashed is how many moves into a table's trash are remembered.
const maxTrashed = 16

// beyondCap is the reason for which files are kept that one run had no room for.
const beyondCap receipt.Reason = "left for the next run"

// done is what deciding needs of the receipts of maintenance, of whatever kind.
type done struct {
	DryRun  bool `json:"dry_run"`
	Removed struct {
		Snapshots int      `json:"snapshots"`
		Refs      []string `json:"refs"`
		Specs     []int    `json:"specs"`
		Schemas   []int    `json:"schemas"`
	} `json:"removed"`
	Deleted receipt.Counts `json:"deleted"`

	// Of orphans: what was moved into the trash, what of Deleted came out of it, and
	// what was kept.
	Moved   receipt.Counts    `json:"moved"`
	Emptied receipt.Count     `json:"emptied"`
	Kept    receipt.KeptFiles `json:"kept"`

	// Of manifests: the snapshot that was committed, and the table's sequence number
	// afterwards, also where nothing was.
	SnapshotID         string `json:"snapshot_id"`
	LastSequenceNumber int64  `json:"last_sequence_number"`
}

// changed says whether the job left anything otherwise than it was.
func (d done) changed() bool {
	return d.Deleted.Total().Files > 0 || d.Moved.Total().Files > 0 || d.SnapshotID != "" || d.Removed.Snapshots > 0 ||
		len(d.Removed.Refs)+len(d.Removed.Specs)+len(d.Removed.Schemas) > 0
}

// freed is how many bytes are no longer the table's: what was moved into the trash
// counts then, and not again when the trash is emptied.
func (d done) freed() int64 {
	return max(0, d.Deleted.Total().Bytes-d.Emptied.Bytes) + d.Moved.Total().Bytes
}

// left says that the job stopped at its cap.
func (d done) left() bool { return d.Kept[beyondCap].Counts.Total().Files > 0 }
