package polaris_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
	"deckhand/internal/storage"
	"deckhand/internal/table"
)

// Each thing that can be wrong has its error, and a sentence that says what to do.
func TestBadInputIsToldInASentence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil  func(*testing.T, *stage)
		change func(*polaris.Config)
		want   error
		says   string
	}{
		"a role that the principal does not have": {
			change: func(cfg *polaris.Config) { cfg.Scope = "PRINCIPAL_ROLE:nobody" },
			want:   polaris.ErrUnauthorized, says: "rest.scope may name a role that the principal does not have",
		},
		"a table that was dropped": {
			spoil: func(t *testing.T, s *stage) { require.NoError(t, s.Drop(t.Context(), orders)) },
			want:  polaris.ErrNotFound, says: "the table is gone",
		},
		"a table that was renamed": {
			spoil: func(t *testing.T, s *stage) {
				to := orders
				to.Name = "t2"
				require.NoError(t, s.Rename(t.Context(), orders, to))
			},
			want: polaris.ErrNotFound, says: "the table is gone",
		},
		"a view of that name": {
			spoil: func(t *testing.T, s *stage) {
				require.NoError(t, s.Drop(t.Context(), orders))
				require.NoError(t, s.AddView(orders))
			},
			want: polaris.ErrNotATable, says: "n.t is a view; only Iceberg tables are maintained",
		},
		"a generic table of that name": {
			spoil: func(t *testing.T, s *stage) {
				require.NoError(t, s.Drop(t.Context(), orders))
				require.NoError(t, s.AddGenericTable(orders, "delta"))
			},
			want: polaris.ErrNotATable, says: "n.t is a generic table; only Iceberg tables are maintained",
		},
		"an encrypted table": {
			spoil: func(_ *testing.T, s *stage) {
				s.rewrite(map[string]any{"properties": map[string]any{"encryption.key-id": "k"}})
			},
			want: table.ErrEncrypted, says: "encrypted",
		},
		"a table that is newer than v3": {
			spoil: func(_ *testing.T, s *stage) { s.rewrite(map[string]any{"format-version": 4}) },
			want:  table.ErrNewerFormat, says: "it is v4, known is up to v3",
		},
		"a table without its metadata file": {
			spoil: func(_ *testing.T, s *stage) { s.store.Remove("warehouse", ordersFile) },
			want:  polaris.ErrRejected, says: "metadata file is missing",
		},
		"a table with a damaged metadata file": {
			spoil: func(_ *testing.T, s *stage) { s.store.Put("warehouse", ordersFile, []byte("no JSON")) },
			want:  polaris.ErrDamaged, says: "cannot read the table's metadata file",
		},
		"a token endpoint that is down": {
			spoil: func(_ *testing.T, s *stage) {
				s.Fault(standin.OnNth(1, standin.Token, standin.Fault{Status: http.StatusBadGateway}))
			},
			want: polaris.ErrUnavailable, says: "the token endpoint is down or overloaded",
		},
		"a server that does not listen": {
			change: func(cfg *polaris.Config) { cfg.URI = "http://127.0.0.1:1/api/catalog" },
			want:   polaris.ErrUnavailable, says: "the token endpoint does not answer",
		},
		"a name that leads elsewhere": {
			change: func(cfg *polaris.Config) { cfg.Warehouse = "no-such" },
			want:   polaris.ErrNoCatalog, says: "the catalog is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, standin.Options{})
			if test.spoil != nil {
				test.spoil(t, s)
			}
			change := func(*polaris.Config) {}
			if test.change != nil {
				change = test.change
			}
			err := s.load(t, change)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestANamespaceThatWasDroppedMeanwhileIsTold(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	for _, err := range s.connect(t).Tables(t.Context(), []string{"gone"}) {
		require.ErrorIs(t, err, polaris.ErrNoNamespace)
		require.ErrorContains(t, err, "the namespace is gone")
		return
	}
	t.Fatal("no error")
}

func TestABucketThatRefusesIsTold(t *testing.T) {
	t.Parallel()
	s := setStage(t, standin.Options{})
	session := s.open(t)
	s.store.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	})
	err := read(t, session, "s3://warehouse/"+ordersFile)
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "s3://warehouse/"+ordersFile)
}
