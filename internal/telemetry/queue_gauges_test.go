package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/queue"
	"deckhand/jobs"
)

// scrape is what /metrics answers, the lines of the queue only.
func scrape(m *Metrics) string {
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var lines []string
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "deckhand_queue_") || strings.HasPrefix(line, "deckhand_dead_letters") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// watched runs test with metrics whose looks at the queue are answered by look.
func watched(t *testing.T, look func(ctx context.Context, number int) (*queue.Status, error), test func(m *Metrics)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(Build{})
		number := 0
		watch := m.WatchQueue(func(ctx context.Context) (*queue.Status, error) {
			number++
			return look(ctx, number)
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { watch.Run(ctx) })
		test(m)
		cancel()
		running.Wait()
	})
}

func TestTheQueueIsShownAndLookedAtRarely(t *testing.T) {
	t.Parallel()
	watched(t, func(_ context.Context, number int) (*queue.Status, error) {
		return &queue.Status{UnknownCount: 5, Kinds: []queue.KindStatus{
			{Kind: jobs.Purge, Waiting: uint64(number), Running: 3, Delayed: 4, OldestWaiting: 90 * time.Second, Dead: 7},
			{Kind: jobs.PurgeView}, {Kind: "madeup1", Dead: 1}, {Kind: "madeup2", Dead: 1},
		}}, nil
	}, func(m *Metrics) {
		first := scrape(m)
		for _, want := range []string{
			`deckhand_queue_messages{kind="purge",state="waiting"} 1`, `deckhand_queue_messages{kind="purge",state="running"} 3`,
			`deckhand_queue_messages{kind="purge",state="delayed"} 4`, `deckhand_queue_oldest_seconds{kind="purge"} 90`,
			`deckhand_dead_letters{kind="purge"} 7`, `deckhand_dead_letters{kind="purge-view"} 0`,
			`deckhand_queue_messages{kind="unknown",state="waiting"} 5`, `deckhand_dead_letters{kind="unknown"} 2`,
		} {
			require.Contains(t, first, want+"\n")
		}
		require.NotContains(t, first, "madeup")
		time.Sleep(queueEvery - time.Second)
		require.Equal(t, first, scrape(m))
		time.Sleep(time.Second)
		require.Contains(t, scrape(m), `{kind="purge",state="waiting"} 2`)
	})
}

func TestALookThatHangsHoldsNoScrapeAndOldNumbersAreNotShownForEver(t *testing.T) {
	t.Parallel()
	watched(t, func(ctx context.Context, number int) (*queue.Status, error) {
		if number == 1 {
			return &queue.Status{Kinds: []queue.KindStatus{{Kind: jobs.Purge, Waiting: 1}}}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}, func(m *Metrics) {
		first := scrape(m)
		require.NotEmpty(t, first)
		time.Sleep(queueEvery)
		began := time.Now() // of the bubble, so exact
		require.Equal(t, first, scrape(m))
		require.Equal(t, queuePatience, time.Since(began))
		time.Sleep(queueStale)
		require.Empty(t, scrape(m))
	})
}

func TestALookThatIsDeniedIsNotRepeated(t *testing.T) {
	t.Parallel()
	looks := 0
	watched(t, func(_ context.Context, number int) (*queue.Status, error) {
		looks = number
		return nil, fmt.Errorf("look: %w", queue.ErrDenied)
	}, func(m *Metrics) {
		for range 3 {
			require.Empty(t, scrape(m))
			time.Sleep(time.Hour)
		}
	})
	require.Equal(t, 1, looks)
}

func TestMetricsThatTheREADMENamesExist(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`deckhand_[a-z_]+`).FindAllString(string(readme), -1)
	require.NotEmpty(t, named)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	source := ""
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		source += string(code)
	}
	for _, name := range named {
		require.Regexp(t, `"(deckhand_)?`+strings.TrimPrefix(name, "deckhand_")+`"`, source, name)
	}
}
