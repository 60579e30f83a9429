package purge

import (
	"context"
	"sync"

	"deckhand/internal/erase"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// shardAbove knows for a shard what belongs to the levels above, which it must not
// delete whatever names it. The metadata file tells of all but the manifests of
// other shards; those are known from the manifest lists, which are read only if an
// entry names a file in a folder in which manifests lie.
type shardAbove struct {
	run *run
	// known are what the metadata file names, and the shard's own manifests.
	known map[storage.Location]bool
	// folders of all manifests; nil: they may lie anywhere.
	folders map[storage.Location]bool

	mu sync.Mutex
	// listed are all manifests, nil while the lists are not read.
	listed map[storage.Location]bool
}

func newShardAbove(r *run, params *shardParams, tree *table.Tree) *shardAbove {
	lists := &table.Tree{Manifests: tree.Manifests}
	for _, path := range r.metadata.ManifestLists() {
		lists.Lists = append(lists.Lists, &table.ManifestList{Path: path})
	}
	a := &shardAbove{run: r, known: r.filesAbove(lists)}
	if params.Folders == nil {
		return a
	}
	a.folders = map[storage.Location]bool{}
	for _, path := range params.Folders {
		folder, err := storage.Parse(path)
		if err != nil {
			a.folders = nil
			return a
		}
		a.folders[folder] = true
	}
	return a
}

// has is called from several goroutines. An error that is permanent says that the
// lists are not what they were, so that nobody knows.
func (a *shardAbove) has(ctx context.Context, l storage.Location) (bool, error) {
	if a.known[l] {
		return true, nil
	}
	if a.folders != nil && !a.folders[l.Parent()] {
		return false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listed == nil {
		if err := a.readLists(ctx); err != nil {
			return false, err
		}
	}
	return a.listed[l], nil
}

func (a *shardAbove) readLists(ctx context.Context) error {
	tree, err := a.run.shelf().Read(ctx, a.run.metadata.Names(nil))
	if err != nil {
		return erase.Failure(ctx, err)
	}
	if planOf(a.run.job, tree.Manifests, a.run.plan.ShardFiles, a.run.deletedEntries) != a.run.plan.Plan {
		return jobs.Permanentf("entries name files in the folder of the table's manifests, and which of these are manifests is not known any more: " +
			"the manifest lists are not what they were when the purge was planned; publish the purge again")
	}
	listed := map[storage.Location]bool{}
	for _, m := range tree.Manifests {
		if location, err := storage.Parse(m.Path); err == nil {
			listed[location] = true
		}
	}
	a.listed = listed
	return nil
}
