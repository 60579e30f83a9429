package storage

import (
	"cmp"
	"context"
	"io"
	"iter"
	"net/url"
	"strings"
	"time"
)

// backend is one bucket, or the local file system, as one file of this package
// speaks to it. Keys are raw. Each method makes one attempt (list: one per
// page, through try; move: one per request); retries, limits and guards are the session's. Errors are
// [*Error]s without location.
type backend interface {
	// read begins reading length bytes at offset; a negative length means to
	// the end. The answer's body obeys ctx too; where the size is not known, its
	// io.EOF is never that of a broken connection.
	read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
	write(ctx context.Context, key string, data []byte) error
	// list yields what lies below the folder, whose prefix has its slash ("" for a
	// whole bucket); at most limit objects when limit is positive.
	list(ctx context.Context, try tryFunc, prefix string, limit int) iter.Seq2[entry, error]
	// listParallel is list with so many requests in flight, and in no order; all of
	// it. It is never ErrNotFound, and its goroutines end with it.
	listParallel(ctx context.Context, try tryFunc, prefix string, inFlight int) iter.Seq2[entry, error]
	// clock asks for the store's time, zero when the answer does not tell it.
	clock(ctx context.Context, prefix string) (time.Time, error)
	// deletable says whether deleteBatch may be given the key.
	deletable(key string) bool
	// deleteBatch deletes at most batchLimit keys. It gives one error per key,
	// nil for deleted and absent ones; or an error for the request as a whole,
	// errBatchRefused when they are to be deleted by deleteOne.
	deleteBatch(ctx context.Context, keys []string) ([]error, error)
	deleteOne(ctx context.Context, key string) error
	batchLimit() int
	// move is [Session.MoveListed] within the backend; it makes many requests, by
	// the mover.
	move(ctx context.Context, m mover, from entry, to string) error
}

// tryFunc runs one request until it succeeds or must be given up.
type tryFunc func(ctx context.Context, request func(context.Context) error) error

// entry is a listed object.
type entry struct {
	key  string
	info Info
}

// target is the backend for a location, with the limiter of its bucket.
type target struct {
	backend
	limiter *limiter
	scheme  string
	bucket  string
	kind    requestKind
	deletes int // keys that a request deletes
}

// client is a backend that keeps connections.
type client interface {
	backend
	close() error
}

// opening is how the stores of one scheme are reached.
type opening struct {
	// name is the same for locations that are reached by one client with the same
	// credentials. Its error is the answer to any operation there.
	name func(s *Stores, l Location) (storeName, error)
	// open gives the store of a location that the guard allowed.
	open func(ctx context.Context, s *Session, l Location, g *Guard) (target, error)
}

// backends says how the store of each scheme is reached.
var backends = map[string]opening{
	"s3": {
		name: func(s *Stores, l Location) (storeName, error) {
			name, _, err := s.s3For(l)
			return name, err
		},
		open: func(ctx context.Context, s *Session, l Location, _ *Guard) (target, error) {
			name, cfg, err := s.stores.s3For(l)
			if err != nil {
				return target{}, err
			}
			b, err := s.stores.client(storeID{"s3", name}, func(all Config) (client, error) {
				all.S3 = cfg
				return openS3(ctx, all, l.Bucket)
			})
			endpoint := cfg.Endpoint
			if cfg.onAWS() {
				endpoint = "" // a bucket is the same at each of its addresses
			}
			return s.bucketTarget(b, l, endpoint), err
		},
	},
	gcsScheme: {
		name: func(s *Stores, l Location) (storeName, error) {
			name, _, err := s.gcsFor(l)
			return name, err
		},
		open: func(_ context.Context, s *Session, l Location, _ *Guard) (target, error) {
			name, cfg, err := s.stores.gcsFor(l)
			if err != nil {
				return target{}, err
			}
			b, err := s.stores.client(storeID{gcsScheme, name}, func(all Config) (client, error) {
				all.GCS = cfg
				return openGCS(all, l.Bucket), nil
			})
			return s.bucketTarget(b, l, cmp.Or(cfg.Endpoint, DefaultGCSEndpoint)), err
		},
	},
	azureScheme: azureOpening,
	"file": {
		name: func(*Stores, Location) (storeName, error) { return storeName{}, nil },
		open: func(_ context.Context, s *Session, _ Location, g *Guard) (target, error) {
			return s.bucketTarget(&fileStore{guard: g, roots: s.folderRoots}, Location{Scheme: "file", Bucket: "file"}, ""), nil
		},
	},
}

// origin gives one spelling to an endpoint, so that a bucket has one limiter.
func origin(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return endpoint
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && (u.Scheme != "http" || port != "80") && (u.Scheme != "https" || port != "443") {
		host += ":" + port
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.Path, "/")
}

// bucketTarget puts the limiter of the bucket before its backend.
func (s *Session) bucketTarget(b backend, l Location, endpoint string) target {
	limiter := s.stores.limiters.get(bucketID{endpoint: origin(endpoint), bucket: l.Bucket}, s.stores.cfg.MaxInFlight)
	if l.Scheme != "file" {
		limiter.ceilings.narrow(s.stores.cfg.MaxRequestsPerSecond, s.stores.cfg.MaxDeletesPerSecond)
	}
	return target{backend: b, limiter: limiter, scheme: l.Scheme, bucket: l.Bucket}
}
