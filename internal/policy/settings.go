package policy

import (
	"encoding/json"
	"time"
)

// Settings are what a policy or a job says about one kind of maintenance: one of
// [Expire], [Orphans], [Manifests] and [Compact]. A field that is zero, and a
// pointer that is nil, is not set; then a table property or a default applies.
type Settings interface {
	// Kind of the maintenance.
	Kind() Kind
	// Params are the settings as the params of a job: what is set, under the names
	// of the keys.
	Params() json.RawMessage
}

// Age says what is old: all from before a moment, or from longer ago than a time.
type Age struct {
	// Ago counts when Before is zero.
	Ago    time.Duration
	Before time.Time
}

// Expire says which snapshots and refs are removed. Branches and tags that say
// something of their own win.
type Expire struct {
	// MaxSnapshotAge: older snapshots expire. Also retention's older-than.
	MaxSnapshotAge *Age `key:"max-snapshot-age"`
	// MinSnapshotsToKeep of each branch. Also retain-last.
	MinSnapshotsToKeep int `key:"min-snapshots-to-keep"`
	// MaxRefAge: branches and tags whose snapshot is older are removed, main never.
	MaxRefAge time.Duration `key:"max-ref-age"`
	// SnapshotIDs expire beside those that are old.
	SnapshotIDs []int64 `key:"snapshot-ids"`
	// CleanExpiredMetadata removes schemas and partition specs that no snapshot
	// which stays uses.
	CleanExpiredMetadata bool `key:"clean-expired-metadata"`
	// MaxConcurrentDeletes bounds the delete requests that run at once.
	MaxConcurrentDeletes int `key:"max-concurrent-deletes"`
	// DryRun: plan and report, commit and delete nothing.
	DryRun bool `key:"dry-run"`
}

// Orphans says which files that no metadata names are deleted.
type Orphans struct {
	// OlderThan is never less than a day ago, which [Orphans.Cutoff] sees to.
	OlderThan *Age `key:"older-than"`
	// Locations to look through, inside the table's; none: all of the table's.
	Locations []string `key:"locations"`
	// PrefixMismatchMode is ERROR, IGNORE or DELETE.
	PrefixMismatchMode string `key:"prefix-mismatch-mode"`
	// EqualSchemes and EqualAuthorities name what means the same: s3a → s3.
	EqualSchemes         map[string]string `key:"equal-schemes"`
	EqualAuthorities     map[string]string `key:"equal-authorities"`
	MaxConcurrentDeletes int               `key:"max-concurrent-deletes"`
	// Quarantine is how long orphans lie in the trash before a later run deletes
	// them; 0: they are deleted at once.
	Quarantine time.Duration `key:"quarantine"`
	// MaxFiles that one run deletes or moves; 0: the default of the job.
	MaxFiles int  `key:"max-files"`
	DryRun   bool `key:"dry-run"`
}

// Manifests says when and how manifests are rewritten.
type Manifests struct {
	// SpecID of the manifests to rewrite; nil: those of every spec, each for itself.
	SpecID *int `key:"spec-id"`
	// SortBy names partition fields to cluster by.
	SortBy []string `key:"sort-by"`
	// TargetSizeBytes of a manifest.
	TargetSizeBytes int64 `key:"target-size-bytes"`
	// MinCommits since the last rewrite make it due.
	MinCommits int `key:"min-commits"`
	// RemoveDanglingDeletes drops delete files that apply to nothing; nil: yes.
	RemoveDanglingDeletes *bool `key:"remove-dangling-deletes"`
	DryRun                bool  `key:"dry-run"`
}

// Compact says when and how data files are rewritten.
type Compact struct {
	// Strategy is binpack, sort or zorder.
	Strategy string `key:"strategy"`
	// SortOrder for sort and zorder, as for Spark.
	SortOrder string `key:"sort-order"`
	// Where names the rows whose files may be rewritten.
	Where string `key:"where"`
	// Sizes in bytes; files smaller than the minimum or larger than the maximum
	// are candidates.
	TargetFileSizeBytes int64  `key:"target-file-size-bytes"`
	MinFileSizeBytes    *int64 `key:"min-file-size-bytes"`
	MaxFileSizeBytes    int64  `key:"max-file-size-bytes"`
	// MinInputFiles that make a group worth its rewriting.
	MinInputFiles int `key:"min-input-files"`
	// DeleteFileThreshold of delete files per data file.
	DeleteFileThreshold *int `key:"delete-file-threshold"`
	// DeleteRatioThreshold of deleted rows, 0 to 1.
	DeleteRatioThreshold           *float64 `key:"delete-ratio-threshold"`
	RewriteAll                     bool     `key:"rewrite-all"`
	MaxFileGroupSizeBytes          int64    `key:"max-file-group-size-bytes"`
	MaxConcurrentFileGroupRewrites int      `key:"max-concurrent-file-group-rewrites"`
	MaxFilesToRewrite              int      `key:"max-files-to-rewrite"`
	PartialProgress                bool     `key:"partial-progress.enabled"`
	PartialProgressMaxCommits      int      `key:"partial-progress.max-commits"`
	PartialProgressMaxFailed       *int     `key:"partial-progress.max-failed-commits"`
	// RewriteJobOrder is none, bytes-asc, bytes-desc, files-asc or files-desc.
	RewriteJobOrder           string `key:"rewrite-job-order"`
	UseStartingSequenceNumber *bool  `key:"use-starting-sequence-number"`
	RemoveDanglingDeletes     bool   `key:"remove-dangling-deletes"`
	// OutputSpecID is the partition spec of the new files; nil: the table's default.
	OutputSpecID *int `key:"output-spec-id"`
	DryRun       bool `key:"dry-run"`
}

// Kind implements [Settings].
func (Expire) Kind() Kind { return ExpireKind }

// Kind implements [Settings].
func (Orphans) Kind() Kind { return OrphansKind }

// Kind implements [Settings].
func (Manifests) Kind() Kind { return ManifestsKind }

// Kind implements [Settings].
func (Compact) Kind() Kind { return CompactKind }

// Params implements [Settings].
func (e Expire) Params() json.RawMessage { return params(e) }

// Params implements [Settings].
func (o Orphans) Params() json.RawMessage { return params(o) }

// Params implements [Settings].
func (m Manifests) Params() json.RawMessage { return params(m) }

// Params implements [Settings].
func (c Compact) Params() json.RawMessage { return params(c) }

var (
	_ Settings = Expire{}
	_ Settings = Orphans{}
	_ Settings = Manifests{}
	_ Settings = Compact{}
)
