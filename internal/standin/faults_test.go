package standin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"deckhand/internal/standin"
)

const orders = "/api/catalog/v1/filecat/namespaces/n/tables/orders"

// stage is a server with one table on FILE.
func stage(t *testing.T) *replay {
	t.Helper()
	return newReplay(t, recording{tables: []string{"filecat/n/orders"}})
}

func (p *replay) load() (int, map[string]any) {
	status, _, body := p.send(http.MethodGet, orders, "", p.as("root"), "")
	object, _ := body.(map[string]any)
	return status, object
}

func (p *replay) set(name, value string) int {
	status, _, _ := p.send(http.MethodPost, orders, "", p.as("root"),
		`{"requirements":[],"updates":[{"action":"set-properties","updates":{"`+name+`":"`+value+`"}}]}`)
	return status
}

func property(body map[string]any, name string) any {
	return body["metadata"].(map[string]any)["properties"].(map[string]any)[name]
}

func TestAFaultAnswersInsteadOfTheServer(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.server.Fault(standin.OnNth(2, standin.CommitTable, standin.Fault{
		Status: http.StatusTooManyRequests, Type: "TooManyRequestsException", Header: http.Header{"Retry-After": {"7"}},
	}))
	require.Equal(t, http.StatusOK, p.set("a", "1"))
	status, header, _ := p.send(http.MethodPost, orders, "", p.as("root"), `{"requirements":[],"updates":[{"action":"set-properties","updates":{"b":"1"}}]}`)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "7", header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, p.set("c", "1"))
	_, body := p.load()
	require.Equal(t, "1", property(body, "a"))
	require.Nil(t, property(body, "b"))
	require.Equal(t, "1", property(body, "c"))
	require.EqualValues(t, 3, p.server.Count(standin.CommitTable))
	require.EqualValues(t, 1, p.server.Count(standin.CommitTable, http.StatusTooManyRequests))
}

func TestAnAnswerThatIsLostWasCarriedOut(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.as("root")
	p.server.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{Serve: true, Drop: true}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(p.server.URI(), "/api/catalog")+orders,
		strings.NewReader(`{"requirements":[],"updates":[{"action":"set-properties","updates":{"a":"1"}}]}`))
	require.NoError(t, err)
	for name, value := range p.as("root") {
		r.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err == nil {
		_ = answer.Body.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, body := p.load()
	require.Equal(t, "1", property(body, "a"))
}

func TestAHangingRequestEndsWithItsClient(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.as("root")
	hanging := make(chan struct{})
	p.server.Fault(standin.OnNth(1, standin.LoadTable, standin.Fault{
		Call: func() { close(hanging) }, Hang: true, Status: http.StatusTeapot,
	}))
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.server.URI(), "/api/catalog")+orders, nil)
	require.NoError(t, err)
	failed := make(chan error, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		failed <- err
	}()
	<-hanging
	leave()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Eventually(t, func() bool {
		return p.server.Count(standin.LoadTable, 0)+p.server.Count(standin.LoadTable, http.StatusTeapot) == 1
	}, time.Minute, time.Millisecond)
	require.Zero(t, p.server.Count(standin.LoadTable, http.StatusTeapot), "it was answered")
}

func TestAnotherWriterCanComeBetweenLoadAndCommit(t *testing.T) {
	t.Parallel()
	p := stage(t)
	other := table.NewSetPropertiesUpdate(map[string]string{"theirs": "1"})
	p.server.Fault(standin.OnNth(1, standin.CommitTable, standin.Fault{Call: func() {
		require.NoError(t, p.server.Commit(context.Background(), tableAt("filecat/n/orders"), nil, []table.Update{other}))
	}}))
	_, before := p.load()
	require.Equal(t, http.StatusOK, p.set("ours", "1"), "without a requirement a commit goes through")
	_, after := p.load()
	require.Equal(t, "1", property(after, "theirs"))
	require.Equal(t, "1", property(after, "ours"))
	require.NotEqual(t, before["metadata-location"], after["metadata-location"])
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	p := stage(t)
	status, _ := p.load()
	require.Equal(t, http.StatusOK, status)
	p.server.ExpireTokens()
	status, header, body := p.send(http.MethodGet, orders, "", p.as("root"), "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, "Bearer", header.Get("Www-Authenticate"))
	require.Nil(t, body)
	delete(p.tokens, "root")
	status, _ = p.load()
	require.Equal(t, http.StatusOK, status)
}

func TestAnonymousServersAskForNoToken(t *testing.T) {
	t.Parallel()
	p := newReplay(t, recording{opts: standin.Options{Anonymous: true}, tables: nil})
	status, _, body := p.send(http.MethodGet, "/api/catalog/v1/config", "warehouse=filecat", nil, "")
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, fmt.Sprint(body.(map[string]any)["endpoints"]), "polaris/v1")
	status, _, _ = p.send(http.MethodGet, "/api/catalog/polaris/v1/filecat/applicable-policies", "", nil, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestAfterRunsOnceTheCommitTookEffect(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.as("root")
	before := p.server.MetadataLocation(t.Context(), tableAt("filecat/n/orders"))
	var seen string
	p.server.Fault(standin.Once(1, standin.Fault{Delay: time.Nanosecond, After: func() {
		seen = p.server.MetadataLocation(context.Background(), tableAt("filecat/n/orders"))
	}}))
	require.Equal(t, http.StatusOK, p.set("a", "1"))
	require.NotEmpty(t, seen)
	require.NotEqual(t, before, seen)
}

func TestVendedKeysNameTheirEnd(t *testing.T) {
	t.Parallel()
	p := newReplay(t, recording{tables: []string{"s3cat/n/t"}})
	p.server.SetCredentialLifetime(5 * time.Minute)
	status, _, body := p.send(http.MethodGet, "/api/catalog/v1/s3cat/namespaces/n/tables/t/credentials", "", p.as("datareader"), "")
	require.Equal(t, http.StatusOK, status)
	entry := body.(map[string]any)["storage-credentials"].([]any)[0].(map[string]any)
	require.Equal(t, "s3://lab/wh/n/t", entry["prefix"])
	config := entry["config"].(map[string]any)
	session, known := p.server.Session(config["s3.session-token"].(string))
	require.True(t, known)
	require.False(t, session.Write, "who may read gets keys to read")
	require.WithinDuration(t, time.Now().Add(5*time.Minute), session.Expires, time.Minute)
	var ms int64
	require.NoError(t, json.Unmarshal([]byte(config["s3.session-token-expires-at-ms"].(string)), &ms))
	require.Equal(t, session.Expires.UnixMilli(), ms)
}
