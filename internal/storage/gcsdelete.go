package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// How a store takes the deletes of many objects, as far as it has shown.
const (
	// gcsUntried: whether it knows the deletes of the XML API has not been seen.
	gcsUntried int32 = iota
	// gcsXML: it does.
	gcsXML
	// gcsJSON: it does not, and takes batches of the JSON API.
	gcsJSON
	// gcsSingly: it takes neither.
	gcsSingly
)

func (b *gcsBucket) batchLimit() int {
	if b.batches.Load() == gcsJSON {
		return gcsBatchLimit
	}
	return gcsMultiDeleteLimit
}

// deletable leaves keys that cannot exist to deleteOne, which says so, and those that
// no XML can carry.
func (b *gcsBucket) deletable(key string) bool {
	if gcsHolds(key) != nil {
		return false
	}
	switch b.batches.Load() {
	case gcsJSON:
		return true
	case gcsSingly:
		return false
	}
	return inXML(key)
}

// deleteBatch sends what the store takes: one request of the XML API, or else
// batches of the JSON API. What it took first is remembered.
func (b *gcsBucket) deleteBatch(ctx context.Context, keys []string) ([]error, error) {
	if mode := b.batches.Load(); mode == gcsUntried || mode == gcsXML {
		results, err := b.multiDelete(ctx, keys)
		if err == nil {
			b.batches.CompareAndSwap(gcsUntried, gcsXML)
			return results, nil
		}
		if !gcsRefuses(err) {
			return nil, err
		}
	}
	results, err := b.deleteInBatches(ctx, keys)
	switch {
	case err == nil:
		b.batches.CompareAndSwap(gcsUntried, gcsJSON)
		return results, nil
	case !gcsRefuses(err):
		return nil, err
	}
	if b.batches.Load() == gcsUntried {
		// Nobody's 404 is that of a proxy whose server is away, unless the store answers.
		if errors.Is(err, ErrUnavailable) {
			switch away := b.stands(ctx, keys[0]); {
			case errors.Is(away, ErrNoBucket):
				return nil, away
			case away != nil:
				return nil, err
			}
		}
		b.batches.CompareAndSwap(gcsUntried, gcsSingly)
	}
	return nil, fmt.Errorf("%w: %w", errBatchRefused, err)
}

// gcsRefuses says whether the answer is about the way in which deletes are sent, and
// not about the bucket, the credentials or the moment. One that is not the store's
// may be that of an emulator that does not know the path.
func gcsRefuses(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || errors.Is(e, ErrNoBucket) || errors.Is(e, ErrDenied) || errors.Is(e, errThrottled) || errors.Is(e, ErrExpired) {
		return false
	}
	return e.Status == http.StatusNotImplemented || e.Status/100 == 4 && e.Status != http.StatusRequestTimeout
}

// deleteInBatches sends one batch after the other. What became of a batch that failed
// is the error of its keys; an error is that of the first one.
func (b *gcsBucket) deleteInBatches(ctx context.Context, keys []string) ([]error, error) {
	results := make([]error, len(keys))
	for at := 0; at < len(keys); at += gcsBatchLimit {
		end := min(at+gcsBatchLimit, len(keys))
		err := b.batchDelete(ctx, keys[at:end], results[at:end])
		switch {
		case err == nil:
		case at == 0:
			return nil, err
		default:
			for i := at; i < len(keys); i++ {
				results[i] = err
			}
			return results, nil
		}
	}
	return results, nil
}

func (b *gcsBucket) deleteOne(ctx context.Context, key string) error {
	err := b.deleteObject(ctx, key, nil)
	switch {
	case !errors.Is(err, ErrNotFound):
		return err
	case namesObject(err):
		return nil
	}
	return b.stands(ctx, key)
}

// deleteObject deletes an object if the conditions of the query are met.
func (b *gcsBucket) deleteObject(ctx context.Context, key string, query url.Values) error {
	if err := gcsHolds(key); err != nil {
		return err
	}
	response, err := b.send(ctx, gcsRequest{op: "objects.delete", method: http.MethodDelete, path: b.objectPath(key), query: query})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit))
	if err != nil {
		return &Error{Reason: ErrUnavailable, Err: err}
	}
	return gcsDeleted(response.StatusCode, body)
}

// gcsDeleted looks whether an answer with a status of success is Google's: it has
// no content, or an emulator's "null". Anything else may be an error that somebody in
// between tells.
func gcsDeleted(status int, body []byte) error {
	if body = bytes.TrimSpace(body); status/100 == 2 && (len(body) == 0 || string(body) == "null") {
		return nil
	}
	return &Error{Status: status, Reason: ErrUnavailable, Hint: hintNotGCS, Err: errNotGCS}
}
