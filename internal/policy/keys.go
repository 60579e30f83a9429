package policy

import "time"

var (
	allKinds     = []Kind{ExpireKind, OrphansKind, ManifestsKind, CompactKind}
	deleting     = []Kind{ExpireKind, OrphansKind}
	onlyExpire   = []Kind{ExpireKind}
	onlyOrphans  = []Kind{OrphansKind}
	onlyManifest = []Kind{ManifestsKind}
	onlyCompact  = []Kind{CompactKind}
)

const (
	leastOrphanAge = day
	// defaultOrphanAge is that of Iceberg's DeleteOrphanFiles.
	defaultOrphanAge = 3 * day
	anInt            = 1<<31 - 1
	aMillisecond     = 0.001
)

// Keys are all settings. Their names are Iceberg's and Spark's (the procedures
// expire_snapshots, remove_orphan_files, rewrite_manifests and rewrite_data_files
// of Iceberg 1.10) and those of the examples in Polaris' policy schemas, version
// 2025-02-03. The README's table is made of them.
var Keys = []Key{
	{
		Name: "max-snapshot-age", Type: Duration, Kinds: onlyExpire, Property: "history.expire.max-snapshot-age-ms", PropertyType: Millis, Default: "5d",
		Also:    []Alias{{Name: "max-snapshot-age-days", Type: Days}, {Name: "max-snapshot-age-ms", Type: Millis}, {Name: "older-than", Type: AgeOrTime}},
		Meaning: "snapshots that are older expire; a branch's own setting wins",
	}, {
		Name: "min-snapshots-to-keep", Type: Whole, Least: 1, Most: anInt, Kinds: onlyExpire, Property: "history.expire.min-snapshots-to-keep", PropertyType: Whole, Default: "1",
		Also:    []Alias{{Name: "min-snapshot-to-keep", Type: Whole}, {Name: "retain-last", Type: Whole}},
		Meaning: "so many of each branch stay, however old; a branch's own setting wins",
	}, {
		Name: "max-ref-age", Type: Duration, Least: aMillisecond, Kinds: onlyExpire, Property: "history.expire.max-ref-age-ms", PropertyType: Millis, Default: "forever",
		Also:    []Alias{{Name: "max-ref-age-days", Type: Days}, {Name: "max-ref-age-ms", Type: Millis}},
		Meaning: "branches and tags whose snapshot is older are removed, `main` never; a ref's own setting wins",
	}, {
		Name: "snapshot-ids", Type: IDs, Kinds: onlyExpire,
		Meaning: "these expire too, whatever their age",
	}, {
		Name: "clean-expired-metadata", Type: Flag, Kinds: onlyExpire, Default: "false",
		Meaning: "remove schemas and partition specs that nothing uses any more",
	}, {
		Name: "older-than", Type: AgeOrTime, Least: float64(leastOrphanAge / time.Second), Kinds: onlyOrphans, Default: formatDuration(defaultOrphanAge),
		Also:    []Alias{{Name: "max-orphan-file-age-in-days", Type: Days, Top: true}},
		Meaning: "only files that are older are orphans; never less than a day",
	}, {
		Name: "locations", Type: List, Kinds: onlyOrphans,
		Also:    []Alias{{Name: "locations", Type: List, Top: true}, {Name: "location", Type: Place}},
		Meaning: "where to look, inside the table's locations; what is not is skipped, a whole bucket is refused. Default: all of the table's",
	}, {
		Name: "prefix-mismatch-mode", Type: Text, Choices: []string{"ERROR", "IGNORE", "DELETE"}, Kinds: onlyOrphans, Default: "ERROR",
		Meaning: "what to do with a file that differs from a named one in scheme or bucket only",
	}, {
		Name: "equal-schemes", Type: Pairs, Kinds: onlyOrphans, Default: "s3a,s3n=s3",
		Meaning: "schemes that mean the same",
	}, {
		Name: "equal-authorities", Type: Pairs, Kinds: onlyOrphans,
		Meaning: "buckets or hosts that mean the same",
	}, {
		Name: "quarantine", Type: Duration, Least: 1, Kinds: onlyOrphans,
		Meaning: "move orphans to the table's trash, where a later run deletes them after so long; `forever` keeps them. Silent: they are deleted at once",
	}, {
		Name: "max-files", Type: Whole, Least: 1, Most: anInt, Kinds: onlyOrphans,
		Meaning: "so many files are deleted or moved by one run at most; the rest is left to the next, which is due at once. Default: 250000",
	}, {
		Name: "prefix-listing", Type: Flag, Kinds: onlyOrphans, NoEffect: true,
		Meaning: "taken, without effect: stores are always listed by prefix",
	}, {
		Name: "max-concurrent-deletes", Type: Whole, Least: 1, Most: 1000, Kinds: deleting,
		Meaning: "delete requests at once; never more than the worker allows",
	}, {
		Name: "stream-results", Type: Flag, Kinds: deleting, NoEffect: true,
		Meaning: "taken, without effect: results are always streamed",
	}, {
		Name: "spec-id", Type: Whole, Most: anInt, Kinds: onlyManifest,
		Meaning: "partition spec whose manifests are rewritten. Default: every one, each for itself",
	}, {
		Name: "sort-by", Type: List, Kinds: onlyManifest,
		Meaning: "partition fields by which entries are clustered",
	}, {
		Name: "target-size-bytes", Type: Whole, Least: 1 << 10, Kinds: onlyManifest, Property: "commit.manifest.target-size-bytes", PropertyType: Whole, Default: "8388608",
		Also:    []Alias{{Name: "target-manifest-size-bytes", Type: Whole}},
		Meaning: "size of a manifest",
	}, {
		Name: "min-commits", Type: Whole, Least: 1, Most: anInt, Kinds: onlyManifest, Property: "commit.manifest.min-count-to-merge", PropertyType: Whole, Default: "100",
		Also:    []Alias{{Name: "commit-count", Type: Whole}},
		Meaning: "so many commits since the last rewrite make it due",
	}, {
		Name: "remove-dangling-deletes", Type: Flag, Kinds: onlyManifest, Default: "true",
		Meaning: "drop delete files that apply to nothing any more",
	}, {
		Name: "use-caching", Type: Flag, Kinds: onlyManifest, NoEffect: true,
		Meaning: "taken, without effect: nothing is cached",
	}, {
		Name: "strategy", Type: Text, Choices: []string{"binpack", "sort", "zorder"}, Kinds: onlyCompact, Default: "binpack",
		Also:    []Alias{{Name: "compaction-strategy", Type: Text}},
		Meaning: "how rows are put into files",
	}, {
		Name: "sort-order", Type: Text, Kinds: onlyCompact,
		Meaning: "for `sort` and `zorder`, as Spark writes it. Default: the table's",
	}, {
		Name: "where", Type: Text, Kinds: onlyCompact,
		Meaning: "only files that may hold such rows",
	}, {
		Name: "target-file-size-bytes", Type: Whole, Least: 1 << 20, Kinds: onlyCompact, Property: "write.target-file-size-bytes", PropertyType: Whole, Default: "536870912",
		Meaning: "size of a data file",
	}, {
		Name: "min-file-size-bytes", Type: Whole, Kinds: onlyCompact, Default: "75 % of the target", Derived: true,
		Meaning: "smaller files are rewritten; an average below it makes the table due",
	}, {
		Name: "max-file-size-bytes", Type: Whole, Least: 1, Kinds: onlyCompact, Default: "180 % of the target", Derived: true,
		Meaning: "larger files are rewritten",
	}, {
		Name: "min-input-files", Type: Whole, Least: 1, Most: anInt, Kinds: onlyCompact, Default: "5",
		Meaning: "a group of fewer files is left alone; so many new files since the last run make it worth another",
	}, {
		Name: "delete-file-threshold", Type: Whole, Least: 1, Most: anInt, Kinds: onlyCompact,
		Meaning: "a data file with so many delete files is rewritten; so many per data file on average make the table due",
	}, {
		Name: "delete-ratio-threshold", Type: Number, Most: 1, Kinds: onlyCompact, Default: "0.3",
		Meaning: "a data file with so large a part of its rows deleted is rewritten; so large a part of the table's makes it due",
	}, {
		Name: "rewrite-all", Type: Flag, Kinds: onlyCompact, Default: "false",
		Meaning: "rewrite every file, whatever its size",
	}, {
		Name: "max-file-group-size-bytes", Type: Whole, Least: 1 << 20, Kinds: onlyCompact, Default: "107374182400",
		Meaning: "how much is rewritten as one",
	}, {
		Name: "max-concurrent-file-group-rewrites", Type: Whole, Least: 1, Most: 1000, Kinds: onlyCompact, Default: "5",
		Meaning: "groups at once",
	}, {
		Name: "max-files-to-rewrite", Type: Whole, Least: 1, Most: anInt, Kinds: onlyCompact,
		Meaning: "files of one job",
	}, {
		Name: "partial-progress.enabled", Type: Flag, Kinds: onlyCompact, Default: "false",
		Meaning: "commit groups as they are done",
	}, {
		Name: "partial-progress.max-commits", Type: Whole, Least: 1, Most: 1000, Kinds: onlyCompact, Default: "10",
		Meaning: "in so many commits",
	}, {
		Name: "partial-progress.max-failed-commits", Type: Whole, Most: 1000, Kinds: onlyCompact, Default: "as many as max-commits", Derived: true,
		Meaning: "of which so many may fail",
	}, {
		Name: "rewrite-job-order", Type: Text, Choices: []string{"none", "bytes-asc", "bytes-desc", "files-asc", "files-desc"}, Kinds: onlyCompact, Default: "none",
		Meaning: "which groups come first",
	}, {
		Name: "use-starting-sequence-number", Type: Flag, Kinds: onlyCompact, Default: "true",
		Meaning: "equality deletes that are committed meanwhile still apply",
	}, {
		Name: "remove-dangling-deletes", Type: Flag, Kinds: onlyCompact, Default: "false",
		Meaning: "drop delete files that apply to nothing",
	}, {
		Name: "output-spec-id", Type: Whole, Most: anInt, Kinds: onlyCompact,
		Meaning: "partition spec of the new files. Default: the table's",
	}, {
		Name: "dry-run", Type: Flag, Kinds: allKinds, Default: "false",
		Meaning: "plan and report; commit and delete nothing",
	}, {
		Name: "schedule", Type: Cron, Kinds: allKinds, PolicyOnly: true,
		Meaning: "cron, five fields or `@daily` and the like, and a time zone (else UTC): due only at these times",
	}, {
		Name: "min-interval", Type: Duration, Least: 1, Kinds: allKinds, PolicyOnly: true,
		Meaning: "never sooner after the last success. Default: an hour",
	}, {
		Name: "window", Type: Hours, Kinds: allKinds, PolicyOnly: true,
		Meaning: "days and hours in which jobs may start, `;` between several, and a time zone (else UTC)",
	},
}
