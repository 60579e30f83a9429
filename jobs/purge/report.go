package purge

import (
	"encoding/hex"
	"encoding/json"

	"github.com/cespare/xxhash/v2"

	"deckhand/internal/receipt"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// ShardReport is the part of a shard's receipt from which the finish goes on.
type ShardReport struct {
	Plan   string `json:"plan"`
	Number int    `json:"number"`
	Of     int    `json:"of,omitempty"`
	// Idle says why this run had nothing to do; it did nothing then.
	Idle string `json:"idle,omitempty"`
	// Before: the shard was completed before.
	Before bool `json:"before,omitempty"`
	// RootGone: the table's metadata file was gone, so that nothing was looked at.
	RootGone bool `json:"root_gone,omitempty"`
	// Manifests that were worked on, as a hash.
	Manifests string `json:"manifests,omitempty"`
	// Settings under which it was decided what may go, as a hash.
	Settings string `json:"settings,omitempty"`
	// AllVersions: all versions of each file were deleted.
	AllVersions bool `json:"all_versions,omitempty"`
	// Held and Gone have a bit for each manifest of the shard: it names files that
	// were kept outside; it was absent.
	Held []byte `json:"held,omitempty"`
	Gone []byte `json:"gone,omitempty"`
	// Unread: a manifest lies where nothing may be read, so that nobody has looked at
	// what it names.
	Unread bool `json:"unread,omitempty"`
	// Names and Tombs are files that were counted, so that the sum counts each once
	// (see [names]). More says that there are others. Repeats says that others than
	// this shard may name its files.
	Names     []byte `json:"names,omitempty"`
	More      bool   `json:"more,omitempty"`
	Tombs     []byte `json:"tombs,omitempty"`
	MoreTombs bool   `json:"more_tombs,omitempty"`
	Repeats   bool   `json:"repeats,omitempty"`
}

// shardLeft is what a completed shard leaves for the sum.
type shardLeft struct {
	Report      ShardReport       `json:"shard"`
	Deleted     Counts            `json:"deleted,omitempty"`
	AtMost      bool              `json:"at_most,omitempty"`
	Kept        receipt.KeptFiles `json:"kept,omitempty"`
	Absent      Counts            `json:"absent,omitempty"`
	AbsentPaths []string          `json:"absent_paths,omitempty"`
	Notes       []string          `json:"notes,omitempty"`
	Requests    receipt.Requests  `json:"requests"`
	Versions    *receipt.Versions `json:"versions,omitempty"`
}

// leftBy is what a shard leaves in at most 16 KiB: 3 lists of at most 1 KiB, up to
// 8 KiB of names and 2 of tombs, and few numbers.
func leftBy(r *Receipt) shardLeft {
	return shardLeft{
		Report: *r.Shard, Deleted: r.Deleted, AtMost: r.AtMost, Kept: r.Kept.Few(maxListed), Absent: r.Absent,
		AbsentPaths: receipt.FewPaths(r.AbsentPaths, maxListed), Notes: receipt.FewPaths(r.Notes, maxListed), Requests: r.Requests, Versions: r.Versions,
	}
}

// report is what the data level of a shard found.
func (d *dataLevel) report(into *ShardReport) {
	into.AllVersions = d.removesVersions()
	into.Manifests, into.Settings = hashOfManifests(d.tree.Manifests), hashOfTexts(d.settings())
	into.Held, into.Gone = bitsOf(d.held), bitsOf(d.gone)
	into.Unread = d.unread
	into.Names, into.More = encodeNames(d.names.live.kept), d.names.live.more
	into.Tombs, into.MoreTombs = encodeNames(d.names.tombs), d.names.moreTombs
	into.Repeats = d.names.repeats
}

func hashOfManifests(manifests []*table.Manifest) string {
	var paths []string
	for _, m := range manifests {
		paths = append(paths, m.Path)
	}
	return hashOfTexts(paths)
}

func hashOfTexts(texts []string) string {
	encoded, _ := json.Marshal(texts)
	sum := xxhash.New()
	_, _ = sum.Write(encoded)
	return hex.EncodeToString(sum.Sum(nil))
}

// bitsOf is nil where no bit is set.
func bitsOf(set []bool) []byte {
	var bits []byte
	for i, is := range set {
		if is {
			for len(bits) <= i/8 {
				bits = append(bits, 0)
			}
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return bits
}

func isSet(bits []byte, i int) bool { return i/8 < len(bits) && bits[i/8]&(1<<(i%8)) != 0 }

// planIn is the plan that a part belongs to; empty where it does not tell.
func planIn(part *jobs.Job) string {
	var params struct {
		Plan string `json:"plan"`
	}
	if json.Unmarshal(part.Params, &params) != nil {
		return ""
	}
	return params.Plan
}
