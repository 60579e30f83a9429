package storage_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// azureMoving is a container with one blob that is copied while somebody waits.
type azureMoving struct {
	tags    bool
	pending int    // so often is the copy not ready
	ends    string // how it ends
	leased  bool

	copied, deleted bool
	copies          []http.Header
}

func (m *azureMoving) answer(kind string, w http.ResponseWriter, r *http.Request) bool {
	source := strings.HasSuffix(r.URL.Path, "/t/x")
	w.Header().Set("Content-Length", "3")
	w.Header().Set("Last-Modified", "Wed, 25 Nov 2026 22:00:00 GMT")
	switch {
	case kind == "HEAD blob" && source && !m.deleted:
		w.Header().Set("ETag", `"0x1"`)
		if m.tags {
			w.Header().Set("x-ms-tag-count", "1")
		}
	case kind == "HEAD blob" && !source && m.copied:
		w.Header().Set("ETag", `"0x2"`)
		w.Header().Set("x-ms-copy-id", "c1")
		w.Header().Set("x-ms-copy-status", m.ends)
		if m.pending > 0 {
			m.pending--
			w.Header().Set("x-ms-copy-status", "pending")
		}
	case kind == "GET blob" && r.URL.Query().Get("comp") == "tags":
		w.Header().Del("Content-Length")
		_, _ = io.WriteString(w, `<Tags><TagSet><Tag><Key>owner</Key><Value>me</Value></Tag></TagSet></Tags>`)
	case kind == "PUT blob":
		w.Header().Del("Content-Length")
		m.copied, m.copies = true, append(m.copies, r.Header)
		w.Header().Set("ETag", `"0x2"`)
		w.Header().Set("x-ms-copy-id", "c1")
		w.Header().Set("x-ms-copy-status", "success")
		if m.pending > 0 {
			w.Header().Set("x-ms-copy-status", "pending")
		}
		w.WriteHeader(http.StatusAccepted)
	case kind == "DELETE blob" && m.leased:
		w.Header().Del("Content-Length")
		azureSays(w, http.StatusPreconditionFailed, "LeaseIdMissing")
	case kind == "DELETE blob":
		w.Header().Del("Content-Length")
		m.deleted = r.Header.Get("If-Match") == `"0x1"`
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Del("Content-Length")
		return false
	}
	return true
}

func TestAMoveInAzureIsACopyWithConditionsAndADelete(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*azureMoving{
		"at once":   {ends: "success"},
		"in time":   {ends: "success", pending: 2},
		"with tags": {ends: "success", tags: true},
	} {
		l := openAzure(t, m.answer, nil)
		require.NoError(t, l.Move(t.Context(), azureAt("t/x"), azureAt("t/y")), name)
		require.True(t, m.deleted, name)
		require.Len(t, m.copies, 1)
		sent := m.copies[0]
		require.Equal(t, "*", sent.Get("If-None-Match"))
		require.Equal(t, `"0x1"`, sent.Get("x-ms-source-if-match"))
		require.Contains(t, sent.Get("x-ms-copy-source"), "/acc/lake/t%2Fx?", "with the SAS token")
		require.Contains(t, sent.Get("x-ms-copy-source"), "sig=")
		require.Equal(t, m.tags, sent.Get("x-ms-tags") == "owner=me", name)
	}
}

func TestAMoveInAzureThatDoesNotSucceedKeepsTheBlob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m      *azureMoving
		reason error
		words  string
	}{
		"a copy that fails":  {&azureMoving{ends: "failed", pending: 1}, storage.ErrUnavailable, "failed"},
		"a copy without end": {&azureMoving{ends: "success", pending: 1 << 20}, storage.ErrUnavailable, "does not end"},
		"a lease":            {&azureMoving{ends: "success", leased: true}, storage.ErrRejected, "lease"},
	} {
		l := openAzure(t, c.m.answer, func(cfg *storage.Config) {
			if c.m.pending > 1 {
				cfg.RequestTimeout = time.Second // what the copy may take
			}
		})
		err := l.Move(t.Context(), azureAt("t/x"), azureAt("t/y"))
		require.ErrorIs(t, err, c.reason, name)
		require.ErrorContains(t, err, c.words, name)
		require.False(t, c.m.deleted, name)
		require.NotContains(t, err.Error(), "hush")
	}
}
