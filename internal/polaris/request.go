package polaris

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
)

// maxAnswer bounds an answer in bytes: the metadata of a table with very many
// snapshots.
const maxAnswer = 1 << 30

// maxPause is the longest that a Retry-After is waited for.
const maxPause = time.Minute

// request is one call of the protocol, which may be sent several times.
type request struct {
	// op names it in metrics and logs.
	op, method string
	// path below the URI, escaped.
	path   string
	query  url.Values
	header http.Header
	body   []byte
	// unsafe: sending it twice may do it twice, so that only a request which was
	// surely not carried out is sent again; or keyed: the server tells the second one
	// from another.
	unsafe, keyed bool

	// catalog as management calls name it.
	catalog string
	// id of the last attempt, as the server calls it where it says so.
	id string
}

// answer of the server with a status below 400.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// identify gives the request the realm and an id of its own.
func (c *Client) identify(q *http.Request, r *request) {
	r.id = uuid.NewString()
	q.Header.Set("X-Request-ID", r.id)
	if c.cfg.Realm != "" {
		q.Header.Set(c.cfg.RealmHeader, c.cfg.Realm)
	}
}

func (r *request) note(answer *http.Response) {
	if id := answer.Header.Get("X-Request-ID"); id != "" {
		r.id = id
	}
}

func (r *request) fail(status int, reason error, hint string, cause error) *Error {
	return &Error{Reason: reason, Method: r.method, Path: r.path, Status: status, RequestID: r.id, Hint: hint, Err: cause}
}

// call sends a request until it is answered or must be given up.
func (c *Client) call(ctx context.Context, r *request) (*answer, error) {
	r.catalog = c.cfg.Warehouse
	var got *answer
	err := c.repeat(ctx, r, func(ctx context.Context) error {
		var err error
		got, err = c.attempt(ctx, r)
		return err
	})
	return got, err
}

// repeat makes attempts while they fail for a passing reason. After an attempt that
// may have been carried out nothing but success is certain: what comes later may
// be an answer to that very attempt.
func (c *Client) repeat(ctx context.Context, r *request, attempt func(context.Context) error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.MaxElapsedTime = c.retryWait, 20*time.Second, 0
	began := time.Now()
	var unknown error // of the last attempt that may have been carried out
	for failed := 0; ; failed++ {
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrStateUnknown) {
			unknown = err
		}
		again, pause := c.passes(r, err, failed, began)
		if again {
			again = sleep(ctx, max(wait.NextBackOff(), pause)) == nil
		}
		switch {
		case again:
		case unknown != nil:
			return unknown
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default:
			return err
		}
	}
}

// passes says whether an attempt that failed is made again, and how long the server
// wants us to wait before.
func (c *Client) passes(r *request, err error, failed int, began time.Time) (again bool, pause time.Duration) {
	var e *Error
	if !errors.As(err, &e) || c.cfg.Retries < 0 || !errors.Is(e.Reason, ErrUnavailable) && !errors.Is(e.Reason, ErrDamaged) && (!errors.Is(e.Reason, ErrStateUnknown) || !r.keyed) {
		return false, 0
	}
	throttled := e.Status == http.StatusTooManyRequests && time.Since(began) < c.cfg.ThrottleFor
	return throttled || failed < c.cfg.Retries, min(e.retryAfter, maxPause)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// attempt sends the request once, and once more with a new token when the old one
// is refused.
func (c *Client) attempt(ctx context.Context, r *request) (*answer, error) {
	token := ""
	if c.tokens != nil {
		var err error
		if token, err = c.tokens.get(ctx, ""); err != nil {
			return nil, err
		}
	}
	got, err := c.send(ctx, r, token)
	var e *Error
	if c.tokens != nil && errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == statusTokenExpired) {
		if token, err = c.tokens.get(ctx, token); err != nil {
			return nil, err
		}
		got, err = c.send(ctx, r, token)
	}
	return got, err
}

func (c *Client) send(ctx context.Context, r *request, token string) (*answer, error) {
	release, err := c.limiter.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	bounded, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(bounded, r.method, c.cfg.URI+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, r.fail(0, ErrRejected, "", hideURL(err))
	}
	q.URL.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	for name, values := range r.header {
		q.Header[name] = values
	}
	q.Header.Set("Accept", "application/json")
	if len(r.body) > 0 {
		q.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	c.identify(q, r)
	sent := time.Now()
	got, err := c.exchange(q, r)
	status := 0
	if got != nil {
		status = got.status
	}
	c.observe(ctx, r, status, err)
	switch {
	case err != nil && ctx.Err() != nil && (!r.unsafe || errors.Is(err, errNotSent)):
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, r.unanswered(status, err)
	case status/100 == 2, status == http.StatusNotModified && r.header.Get("If-None-Match") != "":
		c.limiter.answered()
		return got, nil
	}
	e := r.refused(got)
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && e.Type != damagedMetadata:
		c.limiter.overloaded(sent)
	case status < 500:
		c.limiter.answered()
	}
	if status == http.StatusUnauthorized && token == "" {
		e.Hint = "the server wants a token; put client_id:client_secret into a file and name it in rest.credential_file"
	}
	e.hide(token)
	return nil, e
}

var errTooLarge = fmt.Errorf("the answer has more than %d bytes", maxAnswer)

// errNotSent: no connection could be had, so that the server knows nothing of the
// request.
var errNotSent = errors.New("no connection")

// exchange sends a request and reads the whole answer.
func (c *Client) exchange(q *http.Request, r *request) (*answer, error) {
	// A request with an Idempotency-Key is sent again by net/http itself when its
	// connection breaks: that the last dial failed says nothing about the first.
	var connected atomic.Bool
	q = q.WithContext(httptrace.WithClientTrace(q.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	response, err := c.http.Do(q)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" && !connected.Load() {
			return nil, fmt.Errorf("%w: %w", errNotSent, hideURL(err))
		}
		return nil, hideURL(err)
	}
	defer response.Body.Close()
	r.note(response)
	got := &answer{status: response.StatusCode, header: response.Header}
	got.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(got.body) > maxAnswer {
		err = errTooLarge
	}
	return got, err
}

func (c *Client) observe(ctx context.Context, r *request, status int, err error) {
	if c.cfg.OnRequest != nil {
		c.cfg.OnRequest(r.op, status)
	}
	attrs := []slog.Attr{
		slog.String("op", r.op), slog.String("method", r.method), slog.String("path", r.path),
		slog.Int("status", status), slog.String("request_id", r.id),
	}
	if err != nil && status == 0 {
		attrs = append(attrs, slog.Any("error", hideURL(err)))
	}
	c.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "asked the catalog", attrs...)
}

// unanswered is a request without a whole answer.
func (r *request) unanswered(status int, err error) *Error {
	if r.unsafe && !errors.Is(err, errNotSent) {
		return r.fail(status, ErrStateUnknown, "", err)
	}
	if errors.Is(err, errTooLarge) {
		return r.fail(status, ErrRejected, "", err)
	}
	return r.fail(status, ErrUnavailable, "check that the server runs, and rest.uri", err)
}

// hideURL takes the address out of an error of net/http: it may hold what only the
// configuration should.
func hideURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// retryAfter reads the header's seconds or date, 0 without one.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
