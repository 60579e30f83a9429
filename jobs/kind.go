package jobs

// Kind names what a job does; it is the first token of a job's tail.
type Kind string

const (
	// Purge deletes the files of a dropped table.
	Purge Kind = "purge"
	// PurgeShard deletes what some manifests of a dropped table name: a part of a
	// purge that is too large for one job. A purge publishes it, nobody else.
	PurgeShard Kind = "purge-shard"
	// PurgeFinish deletes what is left of a dropped table once all shards of its
	// purge are completed. Purges publish it, nobody else.
	PurgeFinish Kind = "purge-finish"
	// PurgeView deletes the metadata files of a dropped view.
	PurgeView Kind = "purge-view"
	// PurgeFiles deletes what some manifests of a dropped table name, and listed
	// files, where the table's metadata file is gone already.
	PurgeFiles Kind = "purge-files"
	// Expire removes the snapshots and refs of a living table that its retention
	// lets go, and the files that only those reach.
	Expire Kind = "expire"
	// Orphans removes, or moves to the trash, the files below a living table that
	// none of its snapshots reaches.
	Orphans Kind = "orphans"
	// Manifests rewrites the manifests of a living table into few, and commits.
	Manifests Kind = "manifests"
)

// Attempts that a job of a kind may spend before it goes to the dead letters.
// Purges get more: nothing derives them anew once their message is gone.
const (
	maxPurgeAttempts       = 25
	maxMaintenanceAttempts = 8
)

// Kinds lists the kinds that this version knows, in a fixed order.
func Kinds() []Kind {
	return []Kind{Purge, PurgeShard, PurgeFinish, PurgeView, PurgeFiles, Expire, Orphans, Manifests}
}

// Known reports whether this version knows the kind.
func (k Kind) Known() bool {
	for _, known := range Kinds() {
		if k == known {
			return true
		}
	}
	return false
}

// PurgesDropped reports whether the kind works on something that was dropped.
// Such a job is named by the UUID of what was dropped, or by an id in its place,
// so that dropping, re-creating and dropping a table again are two jobs and not
// one.
func (k Kind) PurgesDropped() bool {
	switch k {
	case Purge, PurgeShard, PurgeFinish, PurgeView, PurgeFiles:
		return true
	}
	return false
}

// MaxAttempts is how many runs without progress a job of the kind may spend.
func (k Kind) MaxAttempts() int {
	if k.PurgesDropped() {
		return maxPurgeAttempts
	}
	return maxMaintenanceAttempts
}
