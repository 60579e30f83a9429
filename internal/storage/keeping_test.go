package storage_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/gcstest"
	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func TestABucketOfGCSSaysWhatItKeeps(t *testing.T) {
	t.Parallel()
	for said, opts := range map[string]gcstest.Options{
		"off":                              {},
		"off, soft delete for 7 days":      {SoftDelete: 7 * 24 * time.Hour},
		"off, soft delete for 1h30m0s":     {SoftDelete: 90 * time.Minute},
		"enabled":                          {Versioning: true},
		"enabled, soft delete for 10 days": {Versioning: true, SoftDelete: 240 * time.Hour},
	} {
		l := openGCS(t, opts, nil)
		for range 2 {
			found, err := l.Keeping(t.Context(), gcsKey("t"))
			require.NoError(t, err)
			require.Equal(t, said, found.String())
			require.Equal(t, said == "off", found.Nothing())
			require.Equal(t, opts.SoftDelete > 0 && !opts.Versioning, found.ByItself())
		}
		require.Equal(t, map[string]int64{"buckets.get": 1}, l.srv.Counts(), "it is asked once")
	}
	_, err := openGCS(t, gcstest.Options{}, nil).Keeping(t.Context(), storage.Location{Scheme: "gs", Bucket: "elsewhere", Key: "t"})
	require.ErrorIs(t, err, storage.ErrOutside)
}

func TestABucketOfGCSThatMayNotBeAskedIsUnknown(t *testing.T) {
	t.Parallel()
	l := openGCS(t, gcstest.Options{}, nil)
	refused := &gcstest.Fault{Status: 403, Body: `{"error":{"code":403,"message":"p does not have storage.buckets.get access","errors":[{"reason":"forbidden"}]}}`}
	l.srv.Fault(answering(refused, "buckets.get"))
	for range 2 {
		found, err := l.Keeping(t.Context(), gcsKey("t"))
		require.ErrorIs(t, err, storage.ErrDenied)
		require.ErrorContains(t, err, "grant storage.buckets.get")
		require.Equal(t, "unknown", found.String())
		require.False(t, found.Nothing())
	}
	require.Equal(t, map[string]int64{"buckets.get": 1}, l.srv.Counts())
	// What passes is asked again.
	l = openGCS(t, gcstest.Options{}, nil)
	l.srv.Fault(answering(&gcstest.Fault{Status: 502}, "buckets.get"))
	_, err := l.Keeping(t.Context(), gcsKey("t"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	l.srv.Fault(nil)
	found, err := l.Keeping(t.Context(), gcsKey("t"))
	require.NoError(t, err)
	require.True(t, found.Nothing())
}

func TestS3AndFilesKnowNoSoftDelete(t *testing.T) {
	t.Parallel()
	for _, versions := range []bool{false, true} {
		l := open(t, s3test.Options{}, nil)
		l.srv.SetVersioning(bucket, versions)
		found, err := l.Keeping(t.Context(), key("t"))
		require.NoError(t, err)
		require.Equal(t, !versions, found.Nothing())
		require.False(t, found.ByItself())
	}
}

// Whether an account of Azure keeps versions only its administrators may ask, and
// how long it keeps what is deleted only who may ask the whole account.
func TestAnAccountOfAzureShowsWhatItKeeps(t *testing.T) {
	t.Parallel()
	policy := func(enabled bool, days int) string {
		return fmt.Sprintf("\ufeff<?xml version=\"1.0\"?><StorageServiceProperties><Cors/><DeleteRetentionPolicy><Enabled>%t</Enabled><Days>%d</Days></DeleteRetentionPolicy></StorageServiceProperties>", enabled, days)
	}
	for name, c := range map[string]struct {
		service   string // "" is refused
		version   string
		permanent string
		singly    bool
		want      string
	}{
		"told, nothing":          {policy(false, 0), "", "true", false, "off"},
		"told, soft delete":      {policy(true, 14), "", "false", false, "off, soft delete for 14 days"},
		"told, versions":         {policy(false, 0), "2026-01-01T00:00:00Z", "", false, "enabled"},
		"refused, nothing":       {"", "", "true", false, "off"},
		"refused, soft delete":   {"", "", "false", false, "off, soft delete"},
		"refused, of one blob":   {"", "", "false", true, "off, soft delete"},
		"refused, versions":      {"", "2026-01-01T00:00:00Z", "true", false, "enabled"},
		"refused, nothing shown": {"", "", "", false, "off, soft delete unknown"},
	} {
		l := openAzure(t, func(kind string, w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Query().Get("restype") == "service" && c.service == "":
				azureSays(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
			case r.URL.Query().Get("restype") == "service":
				_, _ = io.WriteString(w, c.service)
			case kind == "GET blob":
				w.Header().Set("x-ms-blob-type", "BlockBlob")
				if c.version != "" {
					w.Header().Set("x-ms-version-id", c.version)
				}
				_, _ = io.WriteString(w, "x")
			case kind == "DELETE blob":
				w.Header().Set("x-ms-delete-type-permanent", c.permanent)
				w.WriteHeader(http.StatusAccepted)
			case kind == "batch":
				azureParts(w, []string{"0"}, []string{"HTTP/1.1 202 Accepted\r\nx-ms-delete-type-permanent: " + c.permanent + "\r\n\r\n"})
			default:
				return false
			}
			return true
		}, nil)
		found, err := l.Keeping(t.Context(), azureAt("t"))
		require.Equal(t, storage.VersioningUnknown, found.Versioning, name)
		require.Equal(t, c.service == "", err != nil, name)
		_, err = l.ReadAll(t.Context(), azureAt("t/x"), 0)
		require.NoError(t, err)
		at := azureAt("t/x")
		if c.singly {
			at = azureAt("t/x\x7f")
		}
		require.NoError(t, l.Delete(t.Context(), []storage.Location{at})[0].Err)
		found, err = l.Keeping(t.Context(), azureAt("t"))
		require.Equal(t, c.want, found.String(), name)
		if c.want == "off, soft delete unknown" {
			require.ErrorIs(t, err, storage.ErrDenied)
			require.ErrorContains(t, err, "properties of the blob service")
			require.NotContains(t, err.Error(), "hush")
		} else if c.permanent != "" {
			require.NoError(t, err, name)
		}
		asked := 0
		for _, kind := range l.asked() {
			if kind == "account" {
				asked++
			}
		}
		require.Equal(t, 1, asked, "%s: it is asked once", name)
	}
}
