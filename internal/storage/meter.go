package storage

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// Usage is what a session has asked of the stores so far.
type Usage struct {
	// Requests by operation: "GetObject", "ListObjectsV2", "DeleteObjects",
	// "DeleteObject", "PutObject" and so on; for files "read", "list" (once per
	// folder), "unlink", "write" and "rename". Repeated ones count each time.
	Requests map[string]int64
	// Retries counts the repeated ones, for whatever reason.
	Retries int64
	// Throttled counts the answers that asked to slow down.
	Throttled int64
	// BytesRead counts the bytes of objects that were read.
	BytesRead int64
	// Versions and VersionBytes count the versions that were deleted by their ids,
	// Markers the markers that hid them.
	Versions, VersionBytes, Markers int64
}

// meter counts for one session and tells whoever wants to know.
type meter struct {
	onSuccess  func()
	onRequest  func(op, code string)
	onThrottle func(bucket string)

	retries, throttled, bytesRead   atomic.Int64
	versions, versionBytes, markers atomic.Int64

	mu       sync.Mutex
	requests map[string]int64
}

// codeOK is what onRequest gets for a request that went well.
const codeOK = "OK"

// request counts one request that was answered or failed.
func (m *meter) request(op, code string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	if m.requests == nil {
		m.requests = map[string]int64{}
	}
	m.requests[op]++
	m.mu.Unlock()
	if m.onRequest != nil {
		m.onRequest(op, code)
	}
	if code == codeOK {
		m.progress()
	}
}

func (m *meter) progress() {
	if m.onSuccess != nil {
		m.onSuccess()
	}
}

func (m *meter) throttle(bucket string) {
	m.throttled.Add(1)
	if m.onThrottle != nil {
		m.onThrottle(bucket)
	}
}

func (m *meter) version(v objectVersion) {
	if v.marker {
		m.markers.Add(1)
		return
	}
	m.versions.Add(1)
	m.versionBytes.Add(v.size)
}

func (m *meter) usage() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := Usage{
		Requests: maps.Clone(m.requests),
		Retries:  m.retries.Load(), Throttled: m.throttled.Load(), BytesRead: m.bytesRead.Load(),
		Versions: m.versions.Load(), VersionBytes: m.versionBytes.Load(), Markers: m.markers.Load(),
	}
	if u.Requests == nil {
		u.Requests = map[string]int64{}
	}
	return u
}

type meterKey struct{}

// withMeter lets the clients of the stores, which are shared by sessions, count
// for the session that asks.
func withMeter(ctx context.Context, m *meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// marked lets the clients of the stores know whose request it is.
func (s *Session) marked(ctx context.Context) context.Context {
	ctx = withMeter(ctx, s.meter)
	if s.stores.roles != nil {
		ctx = context.WithValue(ctx, sessionKey{}, s)
	}
	return ctx
}

func meterOf(ctx context.Context) *meter {
	m, _ := ctx.Value(meterKey{}).(*meter)
	return m
}
