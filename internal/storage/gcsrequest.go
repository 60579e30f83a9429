package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// gcsRequest is one request of the JSON API, or of the XML API.
type gcsRequest struct {
	// op counts it: the method's name in Google's reference.
	op     string
	method string
	// path begins with a slash, what comes from outside is encoded in it.
	path   string
	query  url.Values
	header http.Header
	body   []byte
}

// gcsEscape encodes a name for a path: everything but letters, digits and "-._~",
// a slash too.
func gcsEscape(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "+", "%20") }

// send makes the request. Answers with a status of success are the caller's to
// close, all others are errors.
func (b *gcsBucket) send(ctx context.Context, r gcsRequest) (*http.Response, error) {
	response, err := b.exchange(ctx, r)
	code := codeOK
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.Code != "":
			code = e.Code
		case e.Status != 0:
			code = strconv.Itoa(e.Status)
		default:
			code = "NoAnswer"
		}
	}
	meterOf(ctx).request(r.op, code)
	if err != nil {
		return nil, err
	}
	return response, nil
}

func (b *gcsBucket) exchange(ctx context.Context, r gcsRequest) (*http.Response, error) {
	token, err := b.tokens(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
		}
		return nil, tokenError(err)
	}
	request, err := http.NewRequestWithContext(ctx, r.method, b.endpoint+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, &Error{Reason: ErrRejected, Err: innermost(err)}
	}
	request.URL.RawQuery = r.query.Encode()
	for name, values := range r.header {
		request.Header[name] = values
	}
	if token.Token != "" {
		request.Header.Set("Authorization", "Bearer "+token.Token)
	}
	if b.userProject != "" {
		request.Header.Set("X-Goog-User-Project", b.userProject)
	}
	response, err := b.http.Do(request)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Reason: ErrUnavailable, Err: innermost(err)}
	case response.StatusCode/100 == 2:
		return response, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit))
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Status: response.StatusCode, Err: err}
	}
	e := gcsAnswerError(response, body)
	if e.Status == http.StatusUnauthorized && !token.Expires.IsZero() && !time.Now().Before(token.Expires) {
		e.Reason = ErrExpired
	}
	return nil, e
}

// receive makes a request whose answer is a JSON document of the kind, "" for any.
func (b *gcsBucket) receive(ctx context.Context, r gcsRequest, kind string, into any) (http.Header, error) {
	response, err := b.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Reason: ErrUnavailable, Err: err}
	}
	var head struct {
		Kind string `json:"kind"`
	}
	if json.Unmarshal(data, &head) != nil || head.Kind != kind {
		return nil, &Error{Status: response.StatusCode, Reason: ErrUnavailable, Hint: hintNotGCS, Err: errNotGCS}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, &Error{Status: response.StatusCode, Reason: ErrUnavailable, Hint: hintNotGCS, Err: fmt.Errorf("read the answer: %w", err)}
	}
	return response.Header, nil
}

// objectPath is that of an object in the JSON API.
func (b *gcsBucket) objectPath(key string) string {
	return "/storage/v1/b/" + gcsEscape(b.name) + "/o/" + gcsEscape(key)
}
