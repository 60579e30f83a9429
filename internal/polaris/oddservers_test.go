package polaris_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// script is a server that answers each path in its own way, and keeps the requests.
type script struct {
	config  string // answer of /v1/config; "": one that says nothing
	answers map[string]func(w http.ResponseWriter)

	mu   sync.Mutex
	came []string
}

// ServeHTTP answers by the end of the path; 404 with a page of HTML for the rest.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.came = append(s.came, r.Method+" "+r.URL.EscapedPath())
	s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/v1/config") {
		_, _ = io.WriteString(w, s.config)
		return
	}
	for end, answer := range s.answers {
		if strings.HasSuffix(r.URL.EscapedPath(), end) {
			answer(w)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<html>")
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refuses(status int, kind string) func(http.ResponseWriter) {
	return says(status, `{"error":{"message":"m","type":"`+kind+`","code":0}}`)
}

func (s *script) connect(t testing.TB, change ...func(*polaris.Config)) *polaris.Client {
	t.Helper()
	if s.config == "" {
		s.config = "{}"
	}
	c, _ := serve(t, s, append([]func(*polaris.Config){func(cfg *polaris.Config) { cfg.Credential = "" }}, change...)...)
	return c
}

// paths that were asked for, without that of the catalog.
func (s *script) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	for _, path := range s.came {
		paths = append(paths, strings.TrimPrefix(path, "GET /api/catalog"))
	}
	return paths
}

// A server that lists no endpoints has tables and views, as the first version of
// the protocol had, and is asked for nothing else. It may forbid what is not there.
func TestAServerThatListsNoEndpointsIsAskedForNothingOfPolaris(t *testing.T) {
	t.Parallel()
	s := &script{answers: map[string]func(http.ResponseWriter){
		"/tables/t": refuses(404, "NoSuchTableException"), "/views/t": refuses(403, "ForbiddenException"),
	}}
	c := s.connect(t, func(cfg *polaris.Config) { cfg.Retries = 3 })
	_, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
	require.ErrorIs(t, err, polaris.ErrNotFound)
	require.Equal(t, []string{"/v1/config", "/v1/namespaces/n/tables/t", "/v1/config", "/v1/namespaces/n/views/t"}, s.paths())
	_, err = c.Policies(t.Context(), in("t", "n"))
	require.ErrorIs(t, err, polaris.ErrNoPolicies)
	require.ErrorContains(t, err, "worker exec")
	for _, err := range c.GenericTables(t.Context(), []string{"n"}) {
		require.NoError(t, err)
	}
}

// A lookup that fails changes nothing about what the catalog has said.
func TestAServerWithoutViewsIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := &script{answers: map[string]func(http.ResponseWriter){"/tables/t": refuses(404, "NoSuchTableException")}}
	_, err := s.connect(t, func(cfg *polaris.Config) { cfg.Retries = 3 }).Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
	require.ErrorIs(t, err, polaris.ErrNotFound)
	require.Len(t, s.paths(), 4)
}

func TestAnswersThatAreNoneAreOutages(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		},
		"not modified, unasked": says(http.StatusNotModified, ""),
		"a page":                says(http.StatusOK, "<html>"),
		"nothing":               says(http.StatusOK, ""),
		"an empty object":       says(http.StatusOK, "{}"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: map[string]func(http.ResponseWriter){"/tables/t": answer, "/namespaces": answer}}
			c := s.connect(t)
			_, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
			require.ErrorIs(t, err, polaris.ErrUnavailable)
			require.ErrorIs(t, list(t, c), polaris.ErrUnavailable)
		})
	}
}

// A redirect was not followed, so that the commit reached nobody.
func TestACommitThatIsRedirectedDidNotTakePlace(t *testing.T) {
	t.Parallel()
	s := &script{answers: map[string]func(http.ResponseWriter){"/tables/t": says(http.StatusFound, "")}}
	_, err := s.connect(t).Commit(t.Context(), in("t", "n"), nil, nil)
	require.ErrorIs(t, err, polaris.ErrUnavailable)
	require.NotErrorIs(t, err, polaris.ErrStateUnknown)
}

func TestATokenThatTimedOutIsRenewed(t *testing.T) {
	t.Parallel()
	g := &gate{life: 3600}
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			w.WriteHeader(419) // of the Iceberg protocol: authentication timed out
			return
		}
		g.ServeHTTP(w, r)
	}))
	require.NoError(t, list(t, c))
	require.EqualValues(t, 2, g.tokens.Load())
}

// net/http sends a request with a key again by itself: that it could not connect in
// the end says nothing about what went before.
func TestACommitThatHadAConnectionOnceMayHaveTakenPlace(t *testing.T) {
	t.Parallel()
	for _, had := range []bool{true, false} {
		c := within(t, func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost {
				return reply(r, 200), nil
			}
			if trace := httptrace.ContextClientTrace(r.Context()); had && trace != nil {
				trace.GotConn(httptrace.GotConnInfo{})
			}
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}, func(cfg *polaris.Config) { cfg.Retries = -1 })
		_, err := c.Commit(t.Context(), in("t", "n"), nil, nil)
		require.Equal(t, had, errors.Is(err, polaris.ErrStateUnknown), "%v", err)
		require.Equal(t, !had, errors.Is(err, polaris.ErrUnavailable), "%v", err)
	}
}

func TestDamagedTablesDoNotSlowDownTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := within(t, func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/tables/t") {
				return reply(r, 200), nil
			}
			answer := reply(r, http.StatusServiceUnavailable)
			answer.Body = io.NopCloser(strings.NewReader(`{"error":{"message":"Failed to read file: f","type":"RuntimeIOException","code":503}}`))
			return answer, nil
		}, func(cfg *polaris.Config) { cfg.Retries = -1 })
		began := time.Now()
		for range 20 {
			_, err := c.Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
			require.ErrorIs(t, err, polaris.ErrDamaged)
			require.NotErrorIs(t, err, polaris.ErrUnavailable)
			require.NotErrorIs(t, err, polaris.ErrRejected)
		}
		require.Less(t, time.Since(began), 2*time.Second)
	})
}

func TestADeadlineThatIsTooNearForATurnIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := within(t, func(r *http.Request) (*http.Response, error) { return reply(r, 200), nil },
			func(cfg *polaris.Config) { cfg.RequestsPerSecond = 0.01 })
		_, err := c.Endpoints(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = c.Commit(ctx, in("t", "n"), []iceberg.Requirement{}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, polaris.ErrStateUnknown)
		require.Zero(t, time.Since(began))
	})
}

// metadataWith snapshots of these ids of which refs name some.
func metadataWith(snapshots []int64, refs map[string]int64, log []int64) map[string]any {
	type object = map[string]any
	var all, entries []object
	for _, id := range snapshots {
		all = append(all, object{"snapshot-id": id, "sequence-number": id, "timestamp-ms": id, "manifest-list": "s3://lab/m", "summary": object{"operation": "append"}})
	}
	for _, id := range log {
		entries = append(entries, object{"snapshot-id": id, "timestamp-ms": id})
	}
	named := object{}
	for name, id := range refs {
		named[name] = object{"snapshot-id": id, "type": "branch"}
	}
	return object{"snapshots": all, "refs": named, "snapshot-log": entries, "current-snapshot-id": refs["main"], "last-sequence-number": 9}
}

func TestAPartOfATableIsToldFromALogThatNamesExpiredSnapshots(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metadata map[string]any
		partial  bool
	}{
		"all snapshots":              {metadataWith([]int64{1, 2, 3}, map[string]int64{"main": 3}, []int64{1, 2, 3}), false},
		"only the head":              {metadataWith([]int64{3}, map[string]int64{"main": 3}, []int64{1, 2, 3}), true},
		"only heads":                 {metadataWith([]int64{1, 3}, map[string]int64{"main": 3, "b": 1}, []int64{1, 2, 3}), true},
		"a head that is missing":     {metadataWith([]int64{1, 2}, map[string]int64{"main": 3}, nil), true},
		"one snapshot, and no other": {metadataWith([]int64{3}, map[string]int64{"main": 3}, []int64{3}), false},
		"expired ones in the log":    {metadataWith([]int64{2, 3}, map[string]int64{"main": 3}, []int64{1, 2, 3}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(map[string]any{"metadata-location": "s3://lab/m", "metadata": json.RawMessage(metadataOf(test.metadata))})
			require.NoError(t, err)
			s := &script{answers: map[string]func(http.ResponseWriter){"/tables/t": says(200, string(body))}}
			_, err = s.connect(t).Load(t.Context(), in("t", "n"), polaris.LoadOptions{})
			if !test.partial {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, polaris.ErrPartial)
			require.ErrorContains(t, err, "refs")
		})
	}
}

// For a catalog that is gone Polaris answers a request for policies with a 500.
func TestPoliciesOfACatalogThatIsGoneAreNoOutage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/config"):
			refuses(500, "IllegalStateException")(w)
		case asked.Add(1) == 1:
			says(200, `{"endpoints":["GET polaris/v1/{prefix}/applicable-policies"]}`)(w)
		default:
			refuses(404, "NotFoundException")(w)
		}
	}), func(cfg *polaris.Config) { cfg.Credential = "" })
	_, err := c.Policies(t.Context(), in("t", "n"))
	require.ErrorIs(t, err, polaris.ErrNoCatalog)
	require.NotErrorIs(t, err, polaris.ErrUnavailable)
}
