package polaris_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	iceberg "github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// committer answers commits one after the other; -1 breaks the connection.
type committer struct {
	remembers bool // Idempotency-Keys
	answers   []int

	mu   sync.Mutex
	keys []string
}

// ServeHTTP gives configuration and answers to commits.
func (s *committer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/v1/config") {
		said := map[string]any{"overrides": map[string]string{"prefix": "lake"}}
		if s.remembers {
			said["idempotency-key-lifetime"] = "PT5M"
		}
		_ = json.NewEncoder(w).Encode(said)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
	answer := 200
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	if answer < 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer)
	if answer == 200 {
		_, _ = io.WriteString(w, `{"metadata-location":"file:///w/t/metadata/1.json","metadata":{"format-version":2,"table-uuid":"u","location":"file:///w/t","last-column-id":1}}`)
		return
	}
	_, _ = io.WriteString(w, `{"error":{"message":"m","type":"CommitFailedException","code":0}}`)
}

// sent are the keys of the commits that came.
func (s *committer) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

func (s *committer) commit(t testing.TB, times int) (err error) {
	t.Helper()
	c, _ := serve(t, s, func(cfg *polaris.Config) { cfg.Credential, cfg.Retries = "", 2 })
	for range times {
		if _, err = c.Commit(t.Context(), in("t", "n"), []iceberg.Requirement{}, []iceberg.Update{}); err != nil {
			return err
		}
	}
	return nil
}

func TestACommitWithoutAnAnswerIsSentOnceWhereKeysAreNotRemembered(t *testing.T) {
	t.Parallel()
	s := &committer{answers: []int{-1}}
	err := s.commit(t, 1)
	require.ErrorIs(t, err, polaris.ErrStateUnknown)
	require.NotErrorIs(t, err, polaris.ErrUnavailable)
	require.Equal(t, []string{""}, s.sent())
}

func TestACommitIsSentAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	s := &committer{remembers: true, answers: []int{503, -1, 200}}
	require.NoError(t, s.commit(t, 2))
	keys := s.sent()
	require.Len(t, keys, 4)
	require.NotEmpty(t, keys[0])
	require.Equal(t, keys[0], keys[1])
	require.Equal(t, keys[0], keys[2])
	require.NotEqual(t, keys[0], keys[3], "a key is never used for another commit")
}

// After an attempt that may have taken place nothing but success is certain: the
// conflict may be with that very attempt.
func TestAConflictAfterALostAnswerIsNotTakenForAConflict(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]int{
		"conflict": {502, 409}, "refused": {502, 400}, "no privilege": {502, 403}, "gone": {502, 404}, "throttled": {502, 429, 429, 429, 409},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := (&committer{remembers: true, answers: answers}).commit(t, 1)
			require.ErrorIs(t, err, polaris.ErrStateUnknown)
			for _, other := range []error{polaris.ErrConflict, polaris.ErrRejected, polaris.ErrForbidden, polaris.ErrNotFound, polaris.ErrUnavailable} {
				require.NotErrorIs(t, err, other)
			}
		})
	}
}

func TestACommitThatTheServerDidNotLookAtIsSentAgain(t *testing.T) {
	t.Parallel()
	s := &committer{answers: []int{429, 200}}
	require.NoError(t, s.commit(t, 1))
	require.Len(t, s.sent(), 2)
}
