package storage_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// messages are S3's, where its words matter.
var messages = map[string]string{
	"BadDigest":     "The Content-MD5 you specified did not match what we received.",
	"InvalidDigest": "The Content-MD5 you specified was an invalid.",
}

// refuse answers 400 to a batch that holds a key with the text, and to the
// single delete of it.
func refuse(code, text string) s3test.FaultFunc {
	return func(_ int64, op string, r *http.Request) *s3test.Fault {
		switch op {
		case "DeleteObjects":
			data, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(data))
			var request struct{ Object []struct{ Key string } }
			_ = xml.Unmarshal(data, &request)
			for _, o := range request.Object {
				if strings.Contains(o.Key, text) {
					return &s3test.Fault{Status: 400, Code: code, Message: messages[code]}
				}
			}
		case "DeleteObject":
			if strings.Contains(r.URL.Path, text) {
				return &s3test.Fault{Status: 400, Code: code}
			}
		}
		return nil
	}
}

func TestOneKeyThatSpoilsItsBatchIsItsOwnErrorAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"KeyTooLongError", "InvalidArgument", "MalformedXML", "InvalidRequest", "InvalidDigest", "BadDigest", "Mystery"} {
		l := open(t, s3test.Options{}, nil)
		files := l.fill(40)
		bad := key("t/odd-ü")
		l.srv.Fault(refuse(code, "odd-"))
		asked := append(files[:20:20], bad)
		for i, r := range l.Delete(t.Context(), asked) {
			if i == 20 {
				require.ErrorIs(t, r.Err, storage.ErrRejected, code)
				require.ErrorContains(t, r.Err, code)
				continue
			}
			require.NoError(t, r.Err, code)
		}
		require.Equal(t, map[string]int64{"DeleteObjects": 1, "DeleteObject": 21}, l.srv.Counts(), code)
		requireDeleted(t, l.Delete(t.Context(), files[20:]), files[20:])
		require.Equal(t, map[string]int64{"DeleteObjects": 2, "DeleteObject": 21}, l.srv.Counts(), "%s: other batches are sent as batches", code)
		require.Empty(t, l.srv.Keys(bucket))
	}
}

func TestACodeThatSaysNothingAboutTheStoreIsNotRemembered(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(4)
	l.srv.Fault(refuse("KeyTooLongError", "00000"))
	require.ErrorIs(t, l.Delete(t.Context(), files[:2])[0].Err, storage.ErrRejected)
	requireDeleted(t, l.Delete(t.Context(), files[2:]), files[2:])
	require.Equal(t, map[string]int64{"DeleteObjects": 2, "DeleteObject": 2}, l.srv.Counts())
}

// A batch is no object, so that its 404 does not mean that all keys are absent.
func TestABatchThatIsNotFoundIsDeletedSingly(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(3)
	l.srv.Fault(always("DeleteObjects", s3test.Fault{Status: 404, Code: "NoSuchKey"}))
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Empty(t, l.srv.Keys(bucket))
}

// What every key would hear is not asked a thousand times.
func TestWhatIsNotAboutTheBatchIsNotRepeatedForEachKey(t *testing.T) {
	t.Parallel()
	for _, f := range []s3test.Fault{
		{Status: 403, Code: "AccessDenied"},
		{Status: 401, Code: "Whatever"},
		{Status: 404, Code: "NoSuchBucket"},
		{Status: 400, Code: "ExpiredToken"},
		{Status: 400, Code: "InvalidToken"},
		{Status: 400, Code: "AuthorizationHeaderMalformed"},
		{Status: 301, Code: "PermanentRedirect"},
		{Status: 307, Code: "TemporaryRedirect"},
		{Status: 404, Body: []byte("default backend - 404")},
		{Status: 500, Code: "InternalError"},
	} {
		l := open(t, s3test.Options{}, func(c *storage.Config, _ *storage.SessionConfig) { c.Retries = -1 })
		files := l.fill(30)
		l.srv.Fault(always("DeleteObjects", f))
		for _, r := range l.Delete(t.Context(), files) {
			require.Error(t, r.Err, f.Code)
		}
		require.Equal(t, map[string]int64{"DeleteObjects": 1}, l.srv.Counts(), f.Code)
	}
}

func TestABatchThatIsRefusedOnARetrySendsOnlyTheRestSingly(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(10)
	codes := map[string]string{files[1].Key: "AccessDenied", files[2].Key: "InternalError"}
	l.srv.Fault(func(n int64, op string, _ *http.Request) *s3test.Fault {
		switch {
		case n == 1:
			return &s3test.Fault{Key: func(k string) string { return codes[k] }}
		case op == "DeleteObjects":
			return &s3test.Fault{Status: 400, Code: "InvalidArgument"}
		}
		return nil
	})
	for i, r := range l.Delete(t.Context(), files) {
		if i == 1 {
			require.ErrorIs(t, r.Err, storage.ErrDenied)
			continue
		}
		require.NoError(t, r.Err)
	}
	require.Equal(t, map[string]int64{"DeleteObjects": 2, "DeleteObject": 1}, l.srv.Counts())
}

func TestAKeyLongerThanS3HasIsNeverSent(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	longest, tooLong := key("t/"+strings.Repeat("k", 1022)), key("t/"+strings.Repeat("k", 1023))
	files := append(l.fill(5), longest, tooLong)
	l.srv.Put(bucket, longest.Key, nil)
	for i, r := range l.Delete(t.Context(), files) {
		if i == 6 {
			require.ErrorIs(t, r.Err, storage.ErrRejected)
			require.ErrorContains(t, r.Err, "longer than S3's 1,024 bytes")
			continue
		}
		require.NoError(t, r.Err)
	}
	require.Equal(t, map[string]int64{"DeleteObjects": 1}, l.srv.Counts())
	require.Empty(t, l.srv.Keys(bucket))
}

func TestABatchIsSentWhenItsKeysHaveManyBytes(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	results := make(chan storage.Deletion, 10)
	d := l.NewDeleter(t.Context(), storage.DeleterConfig{OnResult: func(r storage.Deletion) { results <- r }})
	for range 4 {
		require.NoError(t, d.Add(key("t/"+strings.Repeat("k", 1<<20)), 0))
	}
	for range 4 {
		require.ErrorIs(t, (<-results).Err, storage.ErrRejected) // without a flush
	}
	require.NoError(t, d.Close())
}
