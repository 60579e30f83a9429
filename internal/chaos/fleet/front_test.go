package fleet

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

func send(t *testing.T, method, url, body string) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Body.Close()
}

func TestTheStoreKnowsWhoAsksForWhat(t *testing.T) {
	t.Parallel()
	store, err := s3test.New(s3test.Options{Buckets: []string{"warehouse"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	store.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		require.Equal(t, "w1-1", r.Header.Get(HeaderWorker))
		require.NotEmpty(t, r.Header.Get(HeaderKey))
		if op == "PutObject" {
			return &s3test.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		}
		return nil
	})
	asks, answers := make(chan Asked, 3), make(chan int, 3)
	d, err := storeDoor(store, "w1-1", func(a Asked) func(int) {
		require.Equal(t, "w1-1", a.Worker)
		asks <- a
		return func(status int) { answers <- status }
	})
	require.NoError(t, err)
	t.Cleanup(d.close)
	_, err = send(t, http.MethodPut, d.address+"/warehouse/t/a", "x")
	require.NoError(t, err)
	_, err = send(t, http.MethodPost, d.address+"/warehouse?delete", "<Delete><Object><Key>t/a</Key></Object><Object><Key>t/b</Key></Object></Delete>")
	require.NoError(t, err)
	_, err = send(t, http.MethodGet, d.address+"/warehouse?list-type=2&prefix=t/", "")
	require.NoError(t, err)
	for _, want := range []struct {
		op     string
		keys   []string
		status int
	}{{"PUT", []string{"t/a"}, 503}, {"DeleteObjects", []string{"t/a", "t/b"}, 200}, {"ListObjectsV2", []string{"t/"}, 200}} {
		asked := <-asks
		require.Equal(t, want.op, asked.Op)
		require.Equal(t, want.keys, asked.Keys)
		require.Equal(t, want.status, <-answers)
	}
}

func TestTheCatalogLosesRequestsAndAnswersAndTellsOfChanges(t *testing.T) {
	t.Parallel()
	catalog := standin.Start(t)
	losses, changes := make(chan Loss, 1), make(chan string, 2)
	d, err := catalogDoor(catalog, "http://store", "http://own", func() Loss { return <-losses }, func(namespace, table string) {
		changes <- namespace + "." + table
	})
	require.NoError(t, err)
	t.Cleanup(d.close)
	tables := d.address + "/api/catalog/v1/lake/namespaces/live/tables"
	losses <- LossNone
	status, err := send(t, http.MethodGet, tables+"/t1", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	losses <- LossRefused
	status, err = send(t, http.MethodPost, tables+"/t1", "{}")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	for _, loss := range []Loss{LossBefore, LossAfter} {
		losses <- loss
		_, err = send(t, http.MethodPost, tables+"/t1/metrics", "{}")
		require.Error(t, err)
	}
	require.Equal(t, "live.t1", <-changes)
	require.Empty(t, changes)
}

func TestAProcessThatIsToldToEndEndsAndOneThatDoesNotListenIsKilled(t *testing.T) {
	t.Parallel()
	for script, c := range map[string]struct {
		patience time.Duration
		by       syscall.Signal
	}{
		`echo up >&2; exec sleep 60`:               {time.Minute, syscall.SIGTERM},
		`trap "" TERM; echo up >&2; exec sleep 60`: {time.Millisecond, syscall.SIGKILL},
	} {
		up := make(chan struct{})
		p, err := spawn("/bin/sh", []string{"-c", script}, func(output io.Reader) {
			_, _ = io.ReadFull(output, make([]byte, 3))
			close(up)
			_, _ = io.Copy(io.Discard, output)
		})
		require.NoError(t, err)
		<-up
		require.True(t, p.running())
		p.signal(syscall.SIGSTOP) // one that is stopped ends too
		stat := fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid)
		for state, err := []byte(nil), error(nil); err == nil && !bytes.Contains(state, []byte(") T ")); {
			state, err = os.ReadFile(stat) //nolint:gosec // of the kernel
		}
		p.terminate(c.patience)
		require.False(t, p.running())
		status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.Equal(t, c.by, status.Signal(), script)
	}
}
