package manifests_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/tabletest"
)

func TestADryRunOfAZooTableChangesNothingAndCountsTheSame(t *testing.T) {
	t.Parallel()
	zoo := tabletest.LoadZoo(t)
	y := newYard(t)
	zoo.Load(y.Server)
	full := y.Server.Snapshot()
	for _, made := range zoo.Tables {
		y.Server.Restore(full)
		y.Open(made.MetadataLocation)
		keys := y.Keys()
		dry, err := y.rewrite(`{"dry-run":true}`)
		require.NoError(t, err, made.Name)
		require.True(t, dry.DryRun)
		require.Equal(t, keys, y.Keys(), made.Name)
		require.Empty(t, y.Ledger.Commits, made.Name)
		r, err := y.rewrite(`{}`)
		require.NoError(t, err, made.Name)
		require.Equal(t, r.Before, dry.Before, made.Name)
		require.Equal(t, r.Replaced, dry.Replaced, made.Name)
		require.Equal(t, r.Written.Files, dry.Written.Files, made.Name)
		require.Equal(t, r.Entries, dry.Entries, made.Name)
		require.Equal(t, r.Dropped, dry.Dropped, made.Name)
		require.Equal(t, r.After.Files, dry.After.Files, made.Name)
		y.Ledger.Commits = nil
	}
}

func TestTheReceiptSaysInWordsWhatWasDone(t *testing.T) {
	t.Parallel()
	f := aForge(t, 2)
	for _, test := range []struct {
		params string
		says   []string
	}{
		{`{"dry-run":true}`, []string{"would rewrite  12 manifests", "of 12", "into", "2 manifests", "with 12 entries", "would drop", "1 position-deletes file"}},
		{`{}`, []string{"rewrote", "12 manifests", "dropped", "snapshot", "attempt 1"}},
		{`{}`, []string{"rewrote", "nothing", "of 2 manifests"}},
	} {
		r, err := f.rewrite(test.params)
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, r.WriteText(&text))
		for _, said := range test.says {
			require.Contains(t, text.String(), said)
		}
	}
}
