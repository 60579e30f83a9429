package expire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/jobtest"
	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// want is what lies in the store after a whole expiry of the table.
func (o *office) want() []string {
	before := o.Metadata()
	reached, keys := o.Reach(before), o.Files()
	after := *before
	after.Snapshots = nil
	for _, s := range before.Snapshots {
		for _, ref := range before.Refs {
			if ref.SnapshotID == s.ID {
				after.Snapshots = append(after.Snapshots, s)
				break
			}
		}
	}
	return wantAfter(keys, reached.Union(before), reached.Union(&after))
}

func TestAnExpiryOverRESTUsesTheKeysThatTheCatalogVends(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.VendedOnly()
	r, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Positive(t, r.Removed.Snapshots)
	require.Equal(t, want, o.Files())
	require.Zero(t, o.Refused.Load())
	require.Positive(t, o.Tokens())
}

// The keys last a second and a half and the store is slow: they are renewed on the way.
func TestKeysAreRenewedWhileAnExpiryRuns(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.VendedOnly()
	o.Catalog.SetCredentialLifetime(1500 * time.Millisecond)
	o.Server.SetLatency(200 * time.Millisecond)
	progress := &jobtest.Progress{}
	r, err := o.expireOver(t.Context(), expireAll, progress)
	for n := 0; n < 5 && errors.Is(err, jobs.ErrUnavailable); n++ { // a busy machine may be late
		r, err = o.expireOver(t.Context(), expireAll, progress)
	}
	require.NoError(t, err)
	require.Positive(t, r.Removed.Snapshots)
	require.Equal(t, want, o.Files())
	require.Positive(t, o.Catalog.Count(standin.LoadCredentials))
	require.Greater(t, o.Tokens(), 1)
}

func TestTheStorageSectionServesWhereTheCatalogVendsNothing(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.Catalog.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
		if kind == standin.LoadTable && r.Header.Get("X-Iceberg-Access-Delegation") != "" {
			return &standin.Fault{Status: http.StatusBadRequest, Type: "BadRequestException",
				Message: "Credential vending was requested for table zoo.t, but no credentials are available"}
		}
		return nil
	})
	_, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, want, o.Files())
}

// What a person gets to read, and that no file went with it.
func TestWhatStopsAnExpirySaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		privileges []string
		spoil      func(o *office)
		permanent  bool
		is         error
		says       []string
	}{
		"the principal may not load": {
			privileges: []string{"NAMESPACE_LIST"}, spoil: func(*office) {}, permanent: true, is: polaris.ErrForbidden,
			says: []string{"maint", "TABLE_WRITE_DATA", "grants"},
		},
		"the principal may only read": {
			privileges: []string{"NAMESPACE_LIST", "TABLE_READ_DATA"}, permanent: true,
			spoil: func(o *office) { o.VendedOnly() },
			says:  []string{"write the record", "access denied", "TABLE_WRITE_DATA"},
		},
		"the principal may not commit": {
			privileges: []string{"NAMESPACE_LIST", "TABLE_READ_DATA"}, permanent: true, is: polaris.ErrForbidden,
			spoil: func(o *office) { o.DontVend() },
			says:  []string{"commit the expiry", "TABLE_WRITE_DATA"},
		},
		"the bucket answers 403": {
			permanent: true, is: storage.ErrDenied, says: []string{"access denied", "AccessDenied", "s3://warehouse/db/t/metadata"},
			spoil: func(o *office) {
				o.Server.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
					if maintenancetest.IsMetadata(r.URL.Path) {
						return nil
					}
					return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				})
			},
		},
		"the keys do not cover a location": {
			permanent: true, is: polaris.ErrNotCovered, says: []string{"s3://other/data/t", "let the catalog allow the location"},
			spoil: func(o *office) {
				o.LoadSays(func(said object) {
					config := said["config"].(object)
					for _, key := range []string{"s3.access-key-id", "s3.secret-access-key", "s3.session-token"} {
						delete(config, key)
					}
				})
			},
		},
		"a view has the name": {
			permanent: true, is: polaris.ErrNotATable, says: []string{"is a view"},
			spoil: func(o *office) {
				require.NoError(o.T, o.Catalog.Drop(o.T.Context(), o.Table))
				require.NoError(o.T, o.Catalog.AddView(o.Table))
			},
		},
		"a generic table has the name": {
			permanent: true, is: polaris.ErrNotATable, says: []string{"is a generic table"},
			spoil: func(o *office) {
				require.NoError(o.T, o.Catalog.Drop(o.T.Context(), o.Table))
				require.NoError(o.T, o.Catalog.AddGenericTable(o.Table, "delta"))
			},
		},
		"the table is encrypted": {
			permanent: true, says: []string{"encrypt"},
			spoil: func(o *office) {
				o.LoadSays(func(said object) {
					said["metadata"].(object)["encryption-keys"] = []object{{"key-id": "k", "encrypted-key-metadata": "aa"}}
				})
			},
		},
		"the table is newer": {
			permanent: true, says: []string{"format"},
			spoil: func(o *office) { o.LoadSays(func(said object) { said["metadata"].(object)["format-version"] = 4 }) },
		},
		"gc is off": {
			permanent: true, says: []string{"gc.enabled", "set it to true if the table owns them"},
			spoil: func(o *office) {
				o.LoadSays(func(said object) { said["metadata"].(object)["properties"].(object)["gc.enabled"] = "false" })
			},
		},
		"the catalog is gone": {
			permanent: true, is: polaris.ErrNoCatalog, says: []string{"catalog"},
			spoil: func(o *office) { o.Client.Warehouse = "sea" },
		},
		"the secret is wrong": {
			is: polaris.ErrUnauthorized, says: []string{"credential"},
			spoil: func(o *office) { o.Client.Credential = "who:what" },
		},
		"the metadata file is damaged": {
			is: polaris.ErrDamaged, says: []string{"cannot read the table's metadata file", "register an earlier one"},
			spoil: func(o *office) {
				o.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					if kind != standin.LoadTable {
						return nil
					}
					return &standin.Fault{Status: http.StatusServiceUnavailable, Type: "RuntimeIOException", Message: "Failed to read file: f"}
				})
			},
		},
		"the catalog is down": {
			is: jobs.ErrUnavailable, says: []string{"the token endpoint does not answer"},
			spoil: func(o *office) { require.NoError(o.T, o.Catalog.Close()) },
		},
		"the catalog goes down before the commit": {
			is: jobs.ErrUnavailable, says: []string{"unavailable"},
			spoil: func(o *office) {
				down := false
				o.Catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					down = down || kind == standin.CommitTable
					if down {
						return &standin.Fault{Drop: true}
					}
					return nil
				})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := anOffice(t, test.privileges...)
			keys := o.Files()
			location := o.Catalog.MetadataLocation(t.Context(), o.Table)
			test.spoil(o)
			r, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
			require.Error(t, err)
			require.Equal(t, test.permanent, jobs.IsPermanent(err), err)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			if errors.Is(test.is, polaris.ErrDamaged) { // it spends attempts
				require.NotErrorIs(t, err, jobs.ErrUnavailable)
			}
			for _, text := range test.says {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), s3test.SecretAccessKey)
			require.Empty(t, r.Deleted)
			require.True(t, r.Removed.Empty())
			require.Empty(t, o.Missing(keys), "no file may go")
			if name == "the catalog is down" || strings.HasPrefix(name, "a ") {
				return
			}
			o.Catalog.Fault(nil)
			require.Equal(t, location, o.Catalog.MetadataLocation(t.Context(), o.Table))
		})
	}
}

// A renamed table is gone under its old name. What an expiry of it has left is
// finished under the new one.
func TestATableThatIsRenamedIsFinishedUnderItsNewName(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want, keys := o.want(), o.Files()
	renamed := o.Table
	renamed.Name = "u"
	o.Catalog.Fault(func(n int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.CommitTable {
			return &standin.Fault{After: func() { require.NoError(t, o.Catalog.Rename(context.Background(), o.Table, renamed)) }}
		}
		return nil
	})
	r, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.True(t, r.Gone)
	require.Contains(t, strings.Join(r.Notes, " "), "renamed")
	require.Empty(t, r.Deleted)
	require.Empty(t, o.Missing(keys))

	o.Catalog.Fault(nil)
	o.job = jobWith(expireAll)
	o.job.Table = renamed.Name
	r, err = o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, 1, r.Finished)
	require.Equal(t, want, o.Files())
}

// The connection to the catalog breaks at each request, before or after it was
// carried out, and the worker dies with it; resumed, the expiry ends the same.
func TestAnExpiryCutOffAtAnyRequestToTheCatalogEndsTheSame(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	full := o.Server.Snapshot()
	location := o.Catalog.MetadataLocation(t.Context(), o.Table)
	want := o.want()
	o.Catalog.ResetCounts()
	whole, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, want, o.Files())
	var requests int64
	for _, n := range o.Catalog.Counts() {
		requests += n
	}
	require.Greater(t, requests, int64(3))
	for n := int64(1); n <= requests; n++ {
		for _, served := range []bool{false, true} {
			for _, same := range []bool{true, false} {
				what := fmt.Sprintf("request %d, served %t, same job %t", n, served, same)
				o.Server.Restore(full)
				require.NoError(t, o.Catalog.Drop(t.Context(), o.Table))
				require.NoError(t, o.Catalog.Register(t.Context(), o.Table, location))
				ctx, kill := context.WithCancelCause(t.Context())
				cut := standin.Fault{Drop: true}
				if dies := func() { kill(maintenancetest.ErrKilled) }; served {
					cut.After = dies
				} else {
					cut.Call = dies
				}
				o.Catalog.Fault(standin.Once(n, cut))
				progress := &jobtest.Progress{}
				_, err := o.expireOver(ctx, expireAll, progress)
				kill(nil)
				o.Catalog.Fault(nil)
				if !same {
					progress = &jobtest.Progress{}
				}
				if err == nil && !same {
					continue
				}
				if err != nil {
					require.False(t, jobs.IsPermanent(err) && !errors.Is(err, maintenancetest.ErrKilled), "%s: %v", what, err)
					again, err := o.expireOver(t.Context(), expireAll, progress)
					require.NoError(t, err, what)
					if same {
						require.Equal(t, whole.Deleted, again.Deleted, what)
						require.Equal(t, whole.Removed, again.Removed, what)
					}
				}
				require.Equal(t, want, o.Files(), what)
			}
		}
	}
}
