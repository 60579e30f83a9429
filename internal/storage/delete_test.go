package storage_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

func TestAThousandFilesCostOneRequestAndNoHead(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(3001)
	neighbours := []string{"t2/data/p=0/00000.parquet", "t-data", "u"}
	for _, k := range neighbours {
		l.srv.Put(bucket, k, nil)
	}
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Equal(t, map[string]int64{"DeleteObjects": 4}, l.srv.Counts())
	require.ElementsMatch(t, neighbours, l.srv.Keys(bucket))
}

func TestBatchesFillUpAcrossManyCallers(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(2500)
	var got sync.Map
	d := l.NewDeleter(t.Context(), storage.DeleterConfig{OnResult: func(r storage.Deletion) {
		if _, twice := got.LoadOrStore(r.Tag, r); twice || r.Err != nil {
			t.Errorf("%+v", r)
		}
	}})
	var wg sync.WaitGroup
	for part := range 25 {
		wg.Go(func() {
			for i := part * 100; i < (part+1)*100; i++ {
				if err := d.Add(files[i], int64(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, d.Flush(t.Context()))
	for i := range files {
		_, ok := got.Load(int64(i))
		require.True(t, ok, "every result is there when Flush returns")
	}
	require.Equal(t, map[string]int64{"DeleteObjects": 3}, l.srv.Counts())
	require.NoError(t, d.Flush(t.Context()), "nothing to do is fine")
	require.NoError(t, d.Close())
	require.Error(t, d.Add(files[0], 0))
	require.EqualValues(t, 3, l.srv.Total())
}

func TestAnAbsentObjectCountsAsDeleted(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	asked := keys("t/absent", "t/absent\x01", "t/absent")
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	// Some stores say 404 for a key, and some for the single delete.
	l.srv.Fault(func(_ int64, op string, _ *http.Request) *s3test.Fault {
		if op == "DeleteObject" {
			return &s3test.Fault{Status: 404, Code: "NoSuchKey"}
		}
		return &s3test.Fault{Key: func(string) string { return "NoSuchKey" }}
	})
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
}

func TestErrorsOfSingleKeysAreTheirsAlone(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(100)
	codes := map[string]string{files[3].Key: "AccessDenied", files[50].Key: "MysteryCode", files[99].Key: "NoSuchKey"}
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Key: func(k string) string { return codes[k] }}
	})
	for i, r := range l.Delete(t.Context(), files) {
		switch i {
		case 3:
			require.ErrorIs(t, r.Err, storage.ErrDenied)
			require.ErrorContains(t, r.Err, "delete "+files[3].String())
			require.ErrorContains(t, r.Err, "AccessDenied")
		case 50:
			require.ErrorIs(t, r.Err, storage.ErrRejected)
			require.ErrorContains(t, r.Err, "MysteryCode")
		default:
			require.NoError(t, r.Err)
		}
	}
	require.EqualValues(t, 1, l.srv.Total(), "nothing of this passes by waiting")
	require.Len(t, l.srv.Keys(bucket), 3)
}

func TestKeysThatFailForAPassingReasonAreSentAgainAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"SlowDown", "InternalError"} {
		l := open(t, s3test.Options{}, nil)
		files := l.fill(100)
		var mu sync.Mutex
		tries := map[string]int{}
		l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
			return &s3test.Fault{Key: func(k string) string {
				mu.Lock()
				defer mu.Unlock()
				tries[k]++
				if tries[k] < 3 && (k == files[7].Key || k == files[8].Key) {
					return code
				}
				return ""
			}}
		})
		requireDeleted(t, l.Delete(t.Context(), files), files)
		require.EqualValues(t, 3, l.srv.Total())
		require.Equal(t, 3, tries[files[7].Key])
		require.Equal(t, 1, tries[files[9].Key])
		require.EqualValues(t, 2, l.Usage().Retries)
		if code == "SlowDown" {
			require.EqualValues(t, 2, l.Usage().Throttled)
			require.Positive(t, l.limiters.Limits()[0].Batches.Rate)
		}
	}
}

func TestKeysThatKeepFailingAreUnavailableAndTheRestIsDeleted(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, quick)
	files := l.fill(20)
	l.srv.Fault(func(int64, string, *http.Request) *s3test.Fault {
		return &s3test.Fault{Key: func(k string) string {
			if k == files[5].Key {
				return "InternalError"
			}
			return ""
		}}
	})
	for i, r := range l.Delete(t.Context(), files) {
		if i == 5 {
			require.ErrorIs(t, r.Err, storage.ErrUnavailable)
			require.ErrorContains(t, r.Err, files[5].String())
			continue
		}
		require.NoError(t, r.Err)
	}
	require.Equal(t, []string{files[5].Key}, l.srv.Keys(bucket))
}

func TestAnErrorForAKeyThatWasNotNamedDoubtsTheWholeBatch(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.srv.Fault(always("DeleteObjects", s3test.Fault{Status: 200, Body: []byte(
		`<DeleteResult><Error><Key>t/normalised</Key><Code>AccessDenied</Code></Error></DeleteResult>`)}))
	for _, r := range l.Delete(t.Context(), keys("t/a", "t/b")) {
		require.ErrorContains(t, r.Err, "not named")
	}
}

func TestAStoreThatIgnoresQuietIsUnderstood(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{IgnoreQuiet: true}, nil)
	files := l.fill(1500)
	requireDeleted(t, l.Delete(t.Context(), files), files)
	require.Empty(t, l.srv.Keys(bucket))
}

func TestAStoreThatRefusesDeleteObjectsGetsSingleDeletes(t *testing.T) {
	t.Parallel()
	for _, f := range []s3test.Fault{
		{Status: 501, Code: "NotImplemented"},
		{Status: 405, Code: "MethodNotAllowed"},
		{Status: 405, Body: []byte("no")},
		{Status: 400, Code: "MalformedXML"},
		{Status: 400, Code: "MissingContentMD5", Message: "Missing required header for this request: Content-MD5"},
		{Status: 400, Code: "InvalidRequest", Message: "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"},
		{Status: 400, Code: "Odd", Message: "Content-MD5 wanted"},
	} {
		l := open(t, s3test.Options{Latency: 2e6}, nil)
		files := l.fill(50)
		l.srv.Fault(always("DeleteObjects", f))
		requireDeleted(t, l.Delete(t.Context(), files[:25]), files[:25])
		requireDeleted(t, l.Delete(t.Context(), files[25:]), files[25:])
		require.Empty(t, l.srv.Keys(bucket))
		require.Equal(t, map[string]int64{"DeleteObjects": 1, "DeleteObject": 50}, l.srv.Counts(), "it is asked once")
		require.Greater(t, l.srv.MostInFlight(), 1)
	}
}

func TestKeysThatXMLCannotCarryAreDeletedSingly(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	odd := keys("t/\x01", "t/\x1f", "t/\r", "t/\n", "t/\t", "t/\ufffe", "t/\x7f")
	for _, o := range odd {
		l.srv.Put(bucket, o.Key, nil)
	}
	l.srv.Put(bucket, "t/plain", nil)
	asked := append(odd, key("t/plain"))
	requireDeleted(t, l.Delete(t.Context(), asked), asked)
	require.Empty(t, l.srv.Keys(bucket))
	require.Equal(t, map[string]int64{"DeleteObjects": 1, "DeleteObject": int64(len(odd))}, l.srv.Counts())
}

func TestAFileOutsideTheGuardIsAnsweredAndNeverSent(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	files := l.fill(10)
	l.srv.Put(bucket, "t2/victim", nil)
	asked := append(append(keys(), files...), key("t2/victim"), key("t/../t2/victim"))
	l.srv.Fault(func(_ int64, op string, r *http.Request) *s3test.Fault {
		if strings.Contains(r.URL.Path, "victim") {
			t.Error("the victim was sent")
		}
		return nil
	})
	for i, r := range l.Delete(t.Context(), asked) {
		if i < 10 {
			require.NoError(t, r.Err)
			continue
		}
		require.ErrorIs(t, r.Err, storage.ErrOutside)
	}
	require.Equal(t, []string{"t2/victim"}, l.srv.Keys(bucket))
}

func TestTheDeletersBatchSizeAndParallelismAreBounded(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{Latency: 3e6}, nil)
	files := l.fill(1000)
	d := l.NewDeleter(t.Context(), storage.DeleterConfig{BatchSize: 10, InFlight: 3, OnResult: func(r storage.Deletion) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}})
	for i, f := range files {
		require.NoError(t, d.Add(f, int64(i)))
	}
	require.NoError(t, d.Close())
	require.Equal(t, map[string]int64{"DeleteObjects": 100}, l.srv.Counts())
	require.LessOrEqual(t, l.srv.MostInFlight(), 3)
	require.Greater(t, l.srv.MostInFlight(), 1)
	tooLarge := l.NewDeleter(t.Context(), storage.DeleterConfig{BatchSize: 5000, OnResult: func(storage.Deletion) {}})
	for i := range 1001 {
		require.NoError(t, tooLarge.Add(key(fmt.Sprintf("t/%d", i)), 0))
	}
	require.NoError(t, tooLarge.Close())
	require.EqualValues(t, 102, l.srv.Counts()["DeleteObjects"])
}

// The store adds 20 ms to each request, as one in the same region does.
func BenchmarkDeleteObjects(b *testing.B) {
	for _, inFlight := range []int{1, 8, 16} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			l := open(b, s3test.Options{Latency: 20e6, DeleteAlwaysOK: true}, nil)
			files := make([]storage.Location, 100_000)
			for i := range files {
				files[i] = key(fmt.Sprintf("t/data/event_day=2026-11-%02d/00000-%07d-4a9f9d35-a825-4d5e-8d53-502b434f7e41.parquet", i%30, i))
			}
			b.ReportAllocs()
			for b.Loop() {
				d := l.NewDeleter(b.Context(), storage.DeleterConfig{InFlight: inFlight, OnResult: func(r storage.Deletion) {
					if r.Err != nil {
						b.Error(r.Err)
					}
				}})
				for i, f := range files {
					if err := d.Add(f, int64(i)); err != nil {
						b.Fatal(err)
					}
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(files))/b.Elapsed().Seconds(), "keys/s")
		})
	}
}
