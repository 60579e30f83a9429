package purge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"deckhand/internal/manifest"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

const (
	// DefaultShardAbove is the estimated number of files up to which a purge is one
	// job.
	DefaultShardAbove = 200_000
	// DefaultShardFiles is how many files a shard has at most. It has fewer, down to
	// 10,000, where there would be under 64 shards.
	DefaultShardFiles = 100_000
	// wantedShards keep all slots of a fleet at work until nearly the end. A shard of
	// leastShardFiles still costs much more than what each one reads again.
	wantedShards    = 64
	leastShardFiles = 10_000

	// maxPartBytes of manifests as JSON are in a shard, so that its job fits into
	// the queue with room to spare.
	maxPartBytes = 48 << 10
	// bytesOfEntry turns a manifest's length into a number of entries where no list
	// tells it; writers that compress need some 30 to 150 bytes for one.
	// entriesOfUnknown is for those of which not even the length is told.
	bytesOfEntry     = 64
	entriesOfUnknown = 1000
	// maxFolders of manifests are told to a shard, and maxFolderBytes.
	maxFolders, maxFolderBytes = 32, 4 << 10
)

// part is what becomes one shard.
type part struct {
	manifests []*table.Manifest
	// files that it is estimated to have.
	files int64
}

// shardSize is how many files a shard of a new plan has, of so many in all.
func shardSize(most, all int64) int64 {
	return min(most, max(leastShardFiles, all/wantedShards))
}

// partition cuts the manifests, in their order, into parts of at most so many files
// each, or of one manifest. The same manifests make the same parts.
func partition(manifests []*table.Manifest, files int64, deletedEntries bool) []part {
	var parts []part
	size := 0
	for _, m := range manifests {
		estimate, bytes := estimateOf(m, deletedEntries), encodedSize(m)
		last := len(parts) - 1
		if last < 0 || parts[last].files+estimate > files || size+bytes > maxPartBytes {
			parts, size = append(parts, part{}), 0
			last++
		}
		parts[last].manifests = append(parts[last].manifests, m)
		parts[last].files += estimate
		size += bytes
	}
	return parts
}

// estimateOf is how many files a manifest names, as its list tells it. Files that
// several manifests name count for each.
func estimateOf(m *table.Manifest, deletedEntries bool) int64 {
	live := m.Live()
	switch {
	case live >= 0 && deletedEntries:
		return max(live+max(m.DeletedFiles, 0), 1)
	case live >= 0:
		return max(live, 1) // it has to be read all the same
	case m.Length >= 0:
		return m.Length/bytesOfEntry + 1
	default:
		return entriesOfUnknown
	}
}

func encodedSize(m *table.Manifest) int {
	encoded, err := json.Marshal(manifestRef{m.Path, m.Length})
	if err != nil {
		return maxPartBytes
	}
	return len(encoded) + 1
}

func estimateAll(manifests []*table.Manifest, deletedEntries bool) (files int64) {
	for _, m := range manifests {
		files += estimateOf(m, deletedEntries)
	}
	return files
}

// planOf is the id of a plan: the same if and only if the same manifests of the same
// purge are cut into the same parts and mean the same to it.
func planOf(job *jobs.Job, manifests []*table.Manifest, files int64, deletedEntries bool) string {
	digest := sha256.New()
	write := func(values ...any) {
		for _, value := range values {
			text := fmt.Sprint(value)
			_, _ = fmt.Fprintf(digest, "%d:%s,", len(text), text)
		}
	}
	gc := "ask the table"
	if job.GCEnabled != nil {
		gc = fmt.Sprint(*job.GCEnabled)
	}
	write("deckhand shards 1", cmp.Or(job.TableUUID, job.EntityID), job.MetadataLocation, files, deletedEntries, gc, len(job.Locations))
	for _, location := range job.Locations {
		write(location)
	}
	for _, m := range manifests {
		write(m.Path, m.Length, estimateOf(m, deletedEntries))
	}
	return hex.EncodeToString(digest.Sum(nil)[:8])
}

// manifestRef is a manifest in the params of a shard.
type manifestRef struct {
	Path string `json:"path"`
	// Length in bytes as the lists say; -1 where none does.
	Length int64 `json:"length"`
}

// shardParams are the params of a purge-shard. Of its plan it knows the rest by the
// record.
type shardParams struct {
	// Plan that the shard is a part of.
	Plan      string        `json:"plan"`
	Manifests []manifestRef `json:"manifests"`
	// Folders in which manifests of the table lie, those of other shards too; absent
	// where they are too many.
	Folders []string `json:"folders,omitempty"`
	// DeletedEntries as in [Params].
	DeletedEntries bool `json:"deleted_entries,omitempty"`
	// Files that it is estimated to have.
	Files int64 `json:"files,omitempty"`
}

// tree is the part of the table that the shard is about.
func (p *shardParams) tree() *table.Tree {
	tree := &table.Tree{}
	for _, ref := range p.Manifests {
		tree.Manifests = append(tree.Manifests, &table.Manifest{ListEntry: manifest.ListEntry{Path: ref.Path, Length: ref.Length}})
	}
	return tree
}

// finishParams are the params of a purge-finish.
type finishParams struct {
	Plan   string `json:"plan"`
	Shards int    `json:"shards"`
	// DeletedEntries as in [Params].
	DeletedEntries bool `json:"deleted_entries,omitempty"`
	// UUID and Locations of the table, for when its metadata file is gone.
	UUID      string   `json:"uuid,omitempty"`
	Locations []string `json:"locations,omitempty"`
}

// partJob is a job that goes on with the work of another one.
func partJob(purge *jobs.Job, kind jobs.Kind, id string, params any) (*jobs.Job, error) {
	encoded, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode params: %w", err)
	}
	made := *purge
	made.Version, made.ID, made.Kind, made.Params = jobs.Version, id, kind, encoded
	made.NotBefore = jobs.Timestamp{}
	return &made, nil
}

func shardJob(purge *jobs.Job, plan string, number int, p part, folders []string, deletedEntries bool) (*jobs.Job, error) {
	params := shardParams{Plan: plan, Folders: folders, DeletedEntries: deletedEntries, Files: p.files}
	for _, m := range p.manifests {
		params.Manifests = append(params.Manifests, manifestRef{m.Path, m.Length})
	}
	made, err := partJob(purge, jobs.PurgeShard, plan+"."+jobs.ShardToken(number), params)
	if err == nil {
		made.Shard = number
	}
	return made, err
}

// foldersOf are the folders in which the manifests lie; nil where they are too many,
// or cannot be written down.
func foldersOf(manifests []*table.Manifest) []string {
	var found []string
	seen, bytes := map[storage.Location]bool{}, 0
	for _, m := range manifests {
		location, err := storage.Parse(m.Path)
		if err != nil {
			continue // no file has that name
		}
		folder := location.Parent()
		if seen[folder] {
			continue
		}
		seen[folder] = true
		text := folder.String()
		found, bytes = append(found, text), bytes+len(text)
		if again, err := storage.Parse(text); err != nil || again != folder || len(found) > maxFolders || bytes > maxFolderBytes {
			return nil
		}
	}
	return found
}
