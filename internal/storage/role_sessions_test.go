package storage_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// tokensSeen are the security tokens of the requests to a store, by their paths.
func (l lab) tokensSeen() func() map[string][]string {
	var mu sync.Mutex
	seen := map[string][]string{}
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path] = append(seen[r.URL.Path], r.Header.Get("X-Amz-Security-Token"))
		return nil
	})
	return func() map[string][]string {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func TestEachSessionUsesItsOwnKeysThoughAllShareAClient(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	seen := l.tokensSeen()
	sessions := map[string]*storage.Session{}
	for _, name := range []string{"a", "b"} {
		l.srv.Put(bucket, "t/"+name+"/x", []byte(name))
		guard, err := l.stores.Guard().Narrow("s3://warehouse/t/" + name)
		require.NoError(t, err)
		sessions[name] = l.stores.Session(storage.SessionConfig{ReadGuard: guard})
	}
	for _, name := range []string{"a", "b", "a", "b"} {
		require.Equal(t, name, readAll(t, sessions[name], key("t/"+name+"/x")))
	}
	require.Equal(t, map[string][]string{
		"/warehouse/t/a/x": {"token-1", "token-1"}, "/warehouse/t/b/x": {"token-2", "token-2"},
	}, seen())
	asked := service.requests()
	require.Len(t, asked, 2)
	require.Contains(t, asked[0].Get("Policy"), `s3:::warehouse/t/a/*`)
	require.NotContains(t, asked[0].Get("Policy"), `t/b`)
	require.Contains(t, asked[1].Get("Policy"), `s3:::warehouse/t/b/*`)
}

func TestAJobsRoleIsNeverUsedForAnotherJob(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, func(c *storage.Config) { c.S3.Role, c.S3.FromJob = storage.S3Role{}, true })
	l.srv.Put(bucket, "t/x", []byte("x"))
	seen := l.tokensSeen()
	const role = "arn:aws:iam::123456789012:role/"
	for range 2 {
		for _, job := range []storage.JobStore{
			{RoleARN: role + "one", ExternalID: "first", STSEndpoint: service.url},
			{RoleARN: role + "one", ExternalID: "second", STSEndpoint: service.url},
			{RoleARN: role + "two", ExternalID: "first", STSEndpoint: service.url},
		} {
			stores, err := l.stores.ForJob(job)
			require.NoError(t, err)
			require.Equal(t, "x", readAll(t, stores.Session(storage.SessionConfig{}), key("t/x")))
		}
	}
	require.Equal(t, []string{"token-1", "token-2", "token-3", "token-1", "token-2", "token-3"}, seen()["/warehouse/t/x"])
	var asked []string
	for _, r := range service.requests() {
		asked = append(asked, r.Get("RoleArn")+" "+r.Get("ExternalId"))
	}
	require.Equal(t, []string{role + "one first", role + "one second", role + "two first"}, asked)
}

func TestTheRoleOfTheConfigurationGoesBeforeTheJobs(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, func(c *storage.Config) { c.S3.FromJob, c.S3.Role.ExternalID = true, "" })
	l.srv.Put(bucket, "t/x", []byte("x"))
	stores, err := l.stores.ForJob(storage.JobStore{
		Endpoint: "http://127.0.0.1:1", Region: "eu-north-1", RoleARN: "arn:aws:iam::123456789012:role/of-the-job",
		ExternalID: "of-the-job", STSEndpoint: "http://127.0.0.1:1",
	})
	require.NoError(t, err)
	require.Same(t, l.stores, stores)
	require.Equal(t, "x", readAll(t, stores.Session(storage.SessionConfig{}), key("t/x")))
	asked := service.requests()
	require.Len(t, asked, 1)
	require.Equal(t, "arn:aws:iam::123456789012:role/deckhand", asked[0].Get("RoleArn"))
	require.Empty(t, asked[0].Get("ExternalId"), "that of the job is for the job's role")
}

func TestKeysOfARoleLastAsLongAsTheServiceSaysByItsOwnClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		service := startTokens(t)
		theirs := time.Now().Add(off)
		service.ends = theirs.Add(time.Hour)
		service.set(func(w http.ResponseWriter) bool {
			w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
			return false
		})
		l := openRole(t, service, nil)
		l.srv.Put(bucket, "t/a", []byte("a"))
		for range 3 {
			require.Equal(t, "a", readAll(t, l.Session, key("t/a")))
		}
		require.Len(t, service.requests(), 1, off)
		keys, err := l.RoleKeys(t.Context(), bucket)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), keys.Expires, time.Minute, off)
	}
}

func TestAWrongSignatureDoesNotBringTheTokenIntoTheError(t *testing.T) {
	t.Parallel()
	const message = "The request signature we calculated does not match the signature you provided.\n\n" +
		"The Canonical String for this request should have been\n&apos;POST\n/\n\nhost:sts\nx-amz-security-token:a-secret-token\n&apos;"
	service := startTokens(t)
	service.set(func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>%s</Message></Error></ErrorResponse>`, message)
		return true
	})
	l := openRole(t, service, nil)
	_, _, err := l.Open(t.Context(), key("t/a"))
	require.ErrorIs(t, err, storage.ErrDenied)
	require.ErrorContains(t, err, "signature you provided.")
	require.NotContains(t, err.Error(), "a-secret-token")
}

func TestTheKeysOfASessionMayDoWhatItIsForAndNoMore(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	l.srv.Put(bucket, "t/x", []byte("x"))
	guard, err := l.stores.Guard().Narrow("s3://warehouse/t")
	require.NoError(t, err)
	actions := []string{"s3:DeleteObject\"", "s3:DeleteObjectVersion", "s3:ListBucketVersions", "s3:PutObject\""}
	for n, c := range []struct {
		session storage.SessionConfig
		may     []string
	}{
		{storage.SessionConfig{ReadGuard: guard}, nil},
		{storage.SessionConfig{ReadGuard: guard, Guard: guard}, actions[:1]},
		{storage.SessionConfig{ReadGuard: guard, Guard: guard, Versions: true}, actions[:3]},
		{storage.SessionConfig{ReadGuard: guard, Guard: guard, Writes: true}, []string{actions[0], actions[3]}},
	} {
		require.Equal(t, "x", readAll(t, l.stores.Session(c.session), key("t/x")))
		require.Len(t, service.requests(), n+1)
		policy := service.requests()[n].Get("Policy")
		for _, action := range actions {
			require.Equal(t, slices.Contains(c.may, action), strings.Contains(policy, action), "%s in %s", action, policy)
		}
	}
}
