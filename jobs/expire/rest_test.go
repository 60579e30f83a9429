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
	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// anOffice has a table of all kinds of files, part of them in another bucket.
func anOffice(t *testing.T, privileges ...string) *office {
	t.Helper()
	y := newYardOn(t, s3test.Start(t, s3test.Options{Buckets: []string{"warehouse", "other"}, CheckAuth: true}))
	options := icebergtable.Everything()
	options.Properties = map[string]string{"write.data.path": "s3://other/data/t"}
	return y.officeOf(y.write(options).MetadataLocation, privileges...)
}

// want is what lies in the store after a whole expiry of the table.
func (o *office) want() []string {
	before := o.metadata()
	reached, keys := o.reach(before), o.files()
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
	return wantAfter(keys, reached.union(before), reached.union(&after))
}

func TestAnExpiryOverRESTUsesTheKeysThatTheCatalogVends(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.vendedOnly()
	r, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Positive(t, r.Removed.Snapshots)
	require.Equal(t, want, o.files())
	require.Zero(t, o.refused.Load())
	require.NotEmpty(t, o.tokens)
}

// The keys last a second and a half and the store is slow: they are renewed on the way.
func TestKeysAreRenewedWhileAnExpiryRuns(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.vendedOnly()
	o.catalog.SetCredentialLifetime(1500 * time.Millisecond)
	o.server.SetLatency(200 * time.Millisecond)
	progress := &jobtest.Progress{}
	r, err := o.expireOver(t.Context(), expireAll, progress)
	for n := 0; n < 5 && errors.Is(err, jobs.ErrUnavailable); n++ { // a busy machine may be late
		r, err = o.expireOver(t.Context(), expireAll, progress)
	}
	require.NoError(t, err)
	require.Positive(t, r.Removed.Snapshots)
	require.Equal(t, want, o.files())
	require.Positive(t, o.catalog.Count(standin.LoadCredentials))
	require.Greater(t, len(o.tokens), 1)
}

func TestTheStorageSectionServesWhereTheCatalogVendsNothing(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want := o.want()
	o.catalog.Fault(func(_ int64, kind standin.Kind, r *http.Request) *standin.Fault {
		if kind == standin.LoadTable && r.Header.Get("X-Iceberg-Access-Delegation") != "" {
			return &standin.Fault{Status: http.StatusBadRequest, Type: "BadRequestException",
				Message: "Credential vending was requested for table zoo.t, but no credentials are available"}
		}
		return nil
	})
	_, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, want, o.files())
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
			spoil: func(o *office) { o.vendedOnly() },
			says:  []string{"write the record", "access denied", "TABLE_WRITE_DATA"},
		},
		"the principal may not commit": {
			privileges: []string{"NAMESPACE_LIST", "TABLE_READ_DATA"}, permanent: true, is: polaris.ErrForbidden,
			spoil: func(o *office) { o.dontVend() },
			says:  []string{"commit the expiry", "TABLE_WRITE_DATA"},
		},
		"the bucket answers 403": {
			permanent: true, is: storage.ErrDenied, says: []string{"access denied", "AccessDenied", "s3://warehouse/db/t/metadata"},
			spoil: func(o *office) {
				o.server.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
					if isMetadata(r.URL.Path) {
						return nil
					}
					return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				})
			},
		},
		"the keys do not cover a location": {
			permanent: true, is: polaris.ErrNotCovered, says: []string{"s3://other/data/t", "let the catalog allow the location"},
			spoil: func(o *office) {
				o.loadSays(func(said object) {
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
				require.NoError(o.t, o.catalog.Drop(o.t.Context(), o.table))
				require.NoError(o.t, o.catalog.AddView(o.table))
			},
		},
		"a generic table has the name": {
			permanent: true, is: polaris.ErrNotATable, says: []string{"is a generic table"},
			spoil: func(o *office) {
				require.NoError(o.t, o.catalog.Drop(o.t.Context(), o.table))
				require.NoError(o.t, o.catalog.AddGenericTable(o.table, "delta"))
			},
		},
		"the table is encrypted": {
			permanent: true, says: []string{"encrypt"},
			spoil: func(o *office) {
				o.loadSays(func(said object) {
					said["metadata"].(object)["encryption-keys"] = []object{{"key-id": "k", "encrypted-key-metadata": "aa"}}
				})
			},
		},
		"the table is newer": {
			permanent: true, says: []string{"format"},
			spoil: func(o *office) { o.loadSays(func(said object) { said["metadata"].(object)["format-version"] = 4 }) },
		},
		"gc is off": {
			permanent: true, says: []string{"gc.enabled", "set it to true if the table owns them"},
			spoil: func(o *office) {
				o.loadSays(func(said object) { said["metadata"].(object)["properties"].(object)["gc.enabled"] = "false" })
			},
		},
		"the catalog is gone": {
			permanent: true, is: polaris.ErrNoCatalog, says: []string{"catalog"},
			spoil: func(o *office) { o.config.Warehouse = "sea" },
		},
		"the secret is wrong": {
			is: polaris.ErrUnauthorized, says: []string{"credential"},
			spoil: func(o *office) { o.config.Credential = "who:what" },
		},
		"the metadata file is damaged": {
			is: polaris.ErrDamaged, says: []string{"cannot read the table's metadata file", "register an earlier one"},
			spoil: func(o *office) {
				o.catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
					if kind != standin.LoadTable {
						return nil
					}
					return &standin.Fault{Status: http.StatusServiceUnavailable, Type: "RuntimeIOException", Message: "Failed to read file: f"}
				})
			},
		},
		"the catalog is down": {
			is: jobs.ErrUnavailable, says: []string{"the token endpoint does not answer"},
			spoil: func(o *office) { require.NoError(o.t, o.catalog.Close()) },
		},
		"the catalog goes down before the commit": {
			is: jobs.ErrUnavailable, says: []string{"unavailable"},
			spoil: func(o *office) {
				down := false
				o.catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
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
			keys := o.files()
			location := o.catalog.MetadataLocation(t.Context(), o.table)
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
			require.Subset(t, o.files(), keys, "no file may go")
			if name == "the catalog is down" || strings.HasPrefix(name, "a ") {
				return
			}
			o.catalog.Fault(nil)
			require.Equal(t, location, o.catalog.MetadataLocation(t.Context(), o.table))
		})
	}
}

// dontVend takes the credentials out of every load.
func (o *office) dontVend() {
	o.loadSays(func(said object) {
		delete(said, "storage-credentials")
		delete(said["config"].(object), "s3.access-key-id")
	})
}

// loadSays changes what the catalog answers to the load of the table.
func (o *office) loadSays(change func(said object)) {
	var said object
	raw := mustJSON(object{
		"metadata-location": o.catalog.MetadataLocation(o.t.Context(), o.table),
		"config": object{
			"s3.endpoint": o.server.Endpoint(), "s3.path-style-access": "true", "client.region": "us-east-1",
			"s3.access-key-id": s3test.AccessKeyID, "s3.secret-access-key": s3test.SecretAccessKey,
		},
		"storage-credentials": []object{{"prefix": "s3://warehouse/db/t", "config": object{
			"s3.access-key-id": s3test.AccessKeyID, "s3.secret-access-key": s3test.SecretAccessKey,
		}}},
	})
	decode(raw, &said)
	var metadata object
	decode(o.ledger.read(o.catalog.MetadataLocation(o.t.Context(), o.table)), &metadata)
	said["metadata"] = metadata
	change(said)
	body := mustJSON(said)
	o.catalog.Fault(func(_ int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.LoadTable {
			return &standin.Fault{Status: http.StatusOK, Body: body}
		}
		return nil
	})
}

// A renamed table is gone under its old name. What an expiry of it has left is
// finished under the new one.
func TestATableThatIsRenamedIsFinishedUnderItsNewName(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	want, keys := o.want(), o.files()
	renamed := o.table
	renamed.Name = "u"
	o.catalog.Fault(func(n int64, kind standin.Kind, _ *http.Request) *standin.Fault {
		if kind == standin.CommitTable {
			return &standin.Fault{After: func() { require.NoError(t, o.catalog.Rename(context.Background(), o.table, renamed)) }}
		}
		return nil
	})
	r, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.True(t, r.Gone)
	require.Contains(t, strings.Join(r.Notes, " "), "renamed")
	require.Empty(t, r.Deleted)
	require.Subset(t, o.files(), keys)

	o.catalog.Fault(nil)
	o.job = jobWith(expireAll)
	o.job.Table = renamed.Name
	r, err = o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, 1, r.Finished)
	require.Equal(t, want, o.files())
}

// The connection to the catalog breaks at each request, before or after it was
// carried out, and the worker dies with it; resumed, the expiry ends the same.
func TestAnExpiryCutOffAtAnyRequestToTheCatalogEndsTheSame(t *testing.T) {
	t.Parallel()
	o := anOffice(t)
	full := o.server.Snapshot()
	location := o.catalog.MetadataLocation(t.Context(), o.table)
	want := o.want()
	o.catalog.ResetCounts()
	whole, err := o.expireOver(t.Context(), expireAll, &jobtest.Progress{})
	require.NoError(t, err)
	require.Equal(t, want, o.files())
	var requests int64
	for _, n := range o.catalog.Counts() {
		requests += n
	}
	require.Greater(t, requests, int64(3))
	for n := int64(1); n <= requests; n++ {
		for _, served := range []bool{false, true} {
			for _, same := range []bool{true, false} {
				what := fmt.Sprintf("request %d, served %t, same job %t", n, served, same)
				o.server.Restore(full)
				require.NoError(t, o.catalog.Drop(t.Context(), o.table))
				require.NoError(t, o.catalog.Register(t.Context(), o.table, location))
				ctx, kill := context.WithCancelCause(t.Context())
				cut := standin.Fault{Drop: true}
				if dies := func() { kill(errKilled) }; served {
					cut.After = dies
				} else {
					cut.Call = dies
				}
				o.catalog.Fault(standin.Once(n, cut))
				progress := &jobtest.Progress{}
				_, err := o.expireOver(ctx, expireAll, progress)
				kill(nil)
				o.catalog.Fault(nil)
				if !same {
					progress = &jobtest.Progress{}
				}
				if err == nil && !same {
					continue
				}
				if err != nil {
					require.False(t, jobs.IsPermanent(err) && !errors.Is(err, errKilled), "%s: %v", what, err)
					again, err := o.expireOver(t.Context(), expireAll, progress)
					require.NoError(t, err, what)
					if same {
						require.Equal(t, whole.Deleted, again.Deleted, what)
						require.Equal(t, whole.Removed, again.Removed, what)
					}
				}
				require.Equal(t, want, o.files(), what)
			}
		}
	}
}
