package maintenancetest

import (
	"bytes"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
	"deckhand/internal/table"
)

// Reach is what each snapshot of a table reaches, by location: lists, manifests and
// what live entries name.
type Reach map[int64]map[string]bool

// Reach reads what the table's snapshots reach. All of it must be there and
// readable. It goes past the server and its faults, and reads manifests one by one,
// without what jobs read them with.
func (y *Yard) Reach(m *table.Metadata) Reach {
	y.T.Helper()
	all := Reach{}
	for _, s := range m.Snapshots {
		files, manifests := map[string]bool{}, s.Manifests
		if s.ManifestList != "" {
			files[table.Identity(s.ManifestList)] = true
			err := manifest.ReadList(bytes.NewReader(y.Get(s.ManifestList)), s.ManifestList, func(e *manifest.ListEntry) error {
				manifests = append(manifests, e.Path)
				return nil
			})
			require.NoError(y.T, err, s.ManifestList)
		}
		for _, path := range manifests {
			files[table.Identity(path)] = true
			y.addEntries(path, files)
		}
		all[s.ID] = files
	}
	return all
}

// addEntries adds what a manifest names as live.
func (y *Yard) addEntries(path string, to map[string]bool) {
	y.T.Helper()
	r, err := manifest.NewReader(bytes.NewReader(y.Get(path)), path, 0)
	require.NoError(y.T, err, path)
	defer func() { _ = r.Close() }()
	var e manifest.Entry
	for {
		more, err := r.Next(&e)
		require.NoError(y.T, err, path)
		if !more {
			return
		}
		if e.Status != manifest.StatusDeleted {
			to[table.Identity(string(e.Path))] = true
		}
	}
}

// Union of what the snapshots of m reach, and its statistics.
func (r Reach) Union(m *table.Metadata) map[string]bool {
	all := map[string]bool{}
	for _, s := range m.Snapshots {
		for file := range r[s.ID] {
			all[file] = true
		}
	}
	for _, of := range [][]table.StatisticsFile{m.Statistics, m.PartitionStatistics} {
		for _, f := range of {
			all[table.Identity(f.Path)] = true
		}
	}
	return all
}
