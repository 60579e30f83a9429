package storage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// tokens is a token service that gives the keys of the test's store.
type tokens struct {
	url string

	mu     sync.Mutex
	asked  []url.Values
	answer func(w http.ResponseWriter) bool // nil, or false: keys
	ends   time.Time
}

func startTokens(t *testing.T) *tokens {
	t.Helper()
	s := &tokens{ends: time.Now().Add(time.Hour)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.PostForm)
		w.Header().Set("Content-Type", "text/xml")
		if s.answer != nil && s.answer(w) {
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>a-secret-of-the-role</SecretAccessKey><SessionToken>token-%d</SessionToken>`+
			`<Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			s3test.AccessKeyID, len(s.asked), s.ends.UTC().Format(time.RFC3339))
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *tokens) set(answer func(http.ResponseWriter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *tokens) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.asked...)
}

// openRole is open with keys of a role.
func openRole(t *testing.T, service *tokens, change func(*storage.Config)) lab {
	t.Helper()
	return open(t, s3test.Options{CheckAuth: true}, func(c *storage.Config, _ *storage.SessionConfig) {
		c.Retries, c.RetryFor = 2, 5*time.Second
		c.S3.AccessKeyID, c.S3.SecretAccessKey = "the-workers-own", "a-secret-of-the-worker"
		c.S3.Role = storage.S3Role{
			ARN: "arn:aws:iam::123456789012:role/deckhand", ExternalID: "lake/7", STSEndpoint: service.url, STSRegion: "eu-central-1",
		}
		if change != nil {
			change(c)
		}
	})
}

func TestARoleIsAskedForAsConfigured(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	l.srv.Put(bucket, "t/a", []byte("a"))
	require.Equal(t, "a", readAll(t, l.Session, key("t/a")))
	asked := service.requests()
	require.Len(t, asked, 1)
	require.Equal(t, "AssumeRole", asked[0].Get("Action"))
	require.Equal(t, "arn:aws:iam::123456789012:role/deckhand", asked[0].Get("RoleArn"))
	require.Equal(t, "lake/7", asked[0].Get("ExternalId"))
	require.Equal(t, storage.DefaultSessionName, asked[0].Get("RoleSessionName"))
	require.Equal(t, "3600", asked[0].Get("DurationSeconds"))
	require.Contains(t, asked[0].Get("Policy"), `"arn:aws:s3:::warehouse/t/*"`)
	require.EqualValues(t, 1, l.Usage().Requests["AssumeRole"])
}

func TestAJobOutlivesTheKeysOfItsRole(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	var mu sync.Mutex
	now := time.Now()
	l.stores.SetRoleClock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	var seen []string
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("X-Amz-Security-Token"))
		return nil
	})
	l.srv.Put(bucket, "t/a", []byte("a"))
	for range 3 {
		require.Equal(t, "a", readAll(t, l.Session, key("t/a")))
		mu.Lock()
		now = now.Add(50 * time.Minute)
		mu.Unlock()
		service.mu.Lock()
		service.ends = now.Add(time.Hour)
		service.mu.Unlock()
	}
	require.Equal(t, []string{"token-1", "token-1", "token-2"}, seen)
}

func TestKeysThatTheStoreTakesForExpiredAreReplaced(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	var mu sync.Mutex
	now := time.Now()
	l.stores.SetRoleClock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	l.srv.Put(bucket, "t/a", []byte("a"))
	require.Equal(t, "a", readAll(t, l.Session, key("t/a")))
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	l.srv.Fault(func(_ int64, _ string, r *http.Request) *s3test.Fault {
		if r.Header.Get("X-Amz-Security-Token") == "token-1" {
			return &s3test.Fault{Status: http.StatusBadRequest, Code: "ExpiredToken"}
		}
		return nil
	})
	require.Equal(t, "a", readAll(t, l.Session, key("t/a")))
	require.Len(t, service.requests(), 2)
}

func TestWhatATokenServiceAnswersIsClassifiedAndHoldsNoSecret(t *testing.T) {
	t.Parallel()
	stsError := func(status int, code string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>it says why</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code)
			return true
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter) bool
		reason error
		says   string
		asked  int
	}{
		"denied":                            {stsError(403, "AccessDenied"), storage.ErrDenied, "sts:AssumeRole", 1},
		"wrong key":                         {stsError(403, "InvalidClientTokenId"), storage.ErrDenied, "own keys", 1},
		"a policy that is packed too large": {stsError(400, "PackedPolicyTooLarge"), storage.ErrRejected, "fewer or shorter locations", 1},
		"throttled":                         {stsError(400, "Throttling"), storage.ErrUnavailable, "it says why", 3},
		"away":                              {stsError(503, "ServiceUnavailable"), storage.ErrUnavailable, "it says why", 3},
		"a page of a proxy": {func(w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>no server</html>"))
			return true
		}, storage.ErrUnavailable, "s3.sts_endpoint", 3},
		"no keys": {func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(`<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>`))
			return true
		}, storage.ErrUnavailable, "holds no keys", 3},
	} {
		service := startTokens(t)
		service.set(c.answer)
		l := openRole(t, service, nil)
		l.srv.Put(bucket, "t/a", []byte("a"))
		_, _, err := l.Open(t.Context(), key("t/a"))
		require.ErrorIs(t, err, c.reason, name)
		require.ErrorContains(t, err, "assume role arn:aws:iam::123456789012:role/deckhand", name)
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "a-secret", name)
		require.NotContains(t, err.Error(), "s3:ListBucket", name)
		require.Len(t, service.requests(), c.asked, name)
		require.Zero(t, l.Usage().Throttled, "the bucket is not what asks to slow down")
		require.Empty(t, l.srv.Counts(), name)
		service.set(nil)
	}
}

func TestASessionWhosePolicyDoesNotFitSaysHowFarItsKeysReach(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, nil)
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("s3://warehouse/t/part-of-the-table-%03d", i))
	}
	guard, err := l.stores.Guard().Narrow(many...)
	require.NoError(t, err)
	session := l.stores.Session(storage.SessionConfig{Guard: guard, ReadGuard: guard})
	l.srv.Put(bucket, "t/part-of-the-table-007/a", []byte("a"))
	requireDeleted(t, session.Delete(t.Context(), keys("t/part-of-the-table-007/a")), keys("t/part-of-the-table-007/a"))
	require.ErrorIs(t, session.Delete(t.Context(), keys("t/other"))[0].Err, storage.ErrOutside)
	require.Len(t, session.Widened(), 1)
	require.Contains(t, session.Widened()[0], "delete below s3://warehouse/t")
	require.LessOrEqual(t, len(service.requests()[0].Get("Policy")), 2048)
}

func TestACatalogWhoseLocationsFitIntoNoPolicyAsksNobody(t *testing.T) {
	t.Parallel()
	service := startTokens(t)
	l := openRole(t, service, func(c *storage.Config) {
		c.Locations = nil
		for i := range 100 {
			c.Locations = append(c.Locations, fmt.Sprintf("s3://warehouse/%s-%03d", strings.Repeat("x", 20), i))
		}
	})
	_, _, err := l.Open(t.Context(), key(strings.Repeat("x", 20)+"-001/a"))
	require.ErrorIs(t, err, storage.ErrRejected)
	require.ErrorContains(t, err, "name fewer or shorter locations")
	require.Empty(t, service.requests())
}

func TestARoleIsValidated(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:iam::123456789012:role/deckhand"
	for says, role := range map[string]storage.S3Role{
		"role_arn":     {ARN: "deckhand"},
		"external_id":  {ARN: arn, ExternalID: "a b"},
		"session_name": {ARN: arn, SessionName: "a/b"},
		"sts_endpoint": {ARN: arn, STSEndpoint: "sts.amazonaws.com"},
		"no role_arn":  {ExternalID: "ab"},
	} {
		require.ErrorContains(t, role.Validate(), says)
	}
	require.NoError(t, storage.S3Role{ARN: arn, ExternalID: "a:/@-1", SessionName: "deck.hand@x", STSEndpoint: "https://sts.eu-central-1.amazonaws.com"}.Validate())
	require.NoError(t, storage.S3Role{}.Validate())
}

func TestAJobFillsInWhatTheConfigurationLeavesOpen(t *testing.T) {
	t.Parallel()
	job := storage.JobStore{Endpoint: "http://127.0.0.1:1", PathStyle: true, Region: "eu-north-1", RoleARN: "arn:aws:iam::123456789012:role/job", ExternalID: "of-the-job"}
	stores := func(s3 storage.S3Config) *storage.Stores {
		return openStores(t, storage.Config{Name: "lake", Locations: []string{"s3://lake/"}, S3: s3})
	}
	closed := stores(storage.S3Config{Region: "us-east-1"})
	same, err := closed.ForJob(job)
	require.NoError(t, err)
	require.Same(t, closed, same, "from_job is off")

	free := stores(storage.S3Config{FromJob: true})
	filled, err := free.ForJob(job)
	require.NoError(t, err)
	require.NotSame(t, free, filled)
	again, err := free.ForJob(job)
	require.NoError(t, err)
	require.Same(t, filled, again)
	nothing, err := free.ForJob(storage.JobStore{})
	require.NoError(t, err)
	require.Same(t, free, nothing)
	_, err = free.ForJob(storage.JobStore{Endpoint: "http://user:secret@127.0.0.1"})
	require.ErrorIs(t, err, storage.ErrRejected)
	require.NotContains(t, err.Error(), "secret")
	for n := range 100 {
		_, err = free.ForJob(storage.JobStore{Region: fmt.Sprint("r", n)})
	}
	require.ErrorContains(t, err, "set them in its configuration")
}
