package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// gcsBatchLimit is how many calls a batch of the JSON API takes. Source: "Sending
// batch requests" in Google's documentation of Cloud Storage.
const gcsBatchLimit = 100

// batchID begins the names of a batch's parts, "response-" those of the answer's.
const batchID = "item-"

// batchDelete deletes the keys in one batch, and gives each one's result. The error
// is that of the request as a whole.
func (b *gcsBucket) batchDelete(ctx context.Context, keys []string, results []error) error {
	body, boundary, err := b.batchBody(keys)
	if err != nil {
		return err
	}
	response, err := b.send(ctx, gcsRequest{
		op: "batch", method: http.MethodPost, path: "/batch/storage/v1", body: body,
		header: http.Header{"Content-Type": {"multipart/mixed; boundary=" + boundary}},
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	kind, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || parameters["boundary"] == "" {
		return &Error{Status: response.StatusCode, Reason: ErrUnavailable, Hint: hintNotGCS, Err: errNotGCS}
	}
	answered := make([]bool, len(keys))
	parts := multipart.NewReader(response.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			// The end, or a broken answer: what came counts.
			break
		}
		if i, result, ok := readBatchPart(part); ok && i < len(keys) {
			if answered[i] {
				result = &Error{Reason: ErrUnavailable, Err: errors.New("the answer to the batch tells twice what became of it")}
			}
			answered[i], results[i] = true, result
		}
	}
	b.absences(ctx, keys, results)
	for i, is := range answered {
		switch {
		case is:
		case ctx.Err() != nil:
			results[i] = &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
		default:
			results[i] = &Error{Reason: ErrUnavailable, Err: errors.New("the answer to the batch does not tell what became of it")}
		}
	}
	return nil
}

// absences makes "not found" the success that it is for a delete. Whether the bucket
// is there is asked once.
func (b *gcsBucket) absences(ctx context.Context, keys []string, results []error) {
	var (
		bucket error
		asked  bool
	)
	for i, result := range results {
		if !errors.Is(result, ErrNotFound) {
			continue
		}
		results[i] = nil
		if !namesObject(result) {
			if !asked {
				bucket, asked = b.stands(ctx, keys[i]), true
			}
			results[i] = bucket
		}
	}
}

// batchBody writes a request for each key. The blank line that ends its header must
// not be missing.
func (b *gcsBucket) batchBody(keys []string) (body []byte, boundary string, err error) {
	var buffer bytes.Buffer
	parts := multipart.NewWriter(&buffer)
	query := ""
	if b.userProject != "" {
		query = "?" + url.Values{"userProject": {b.userProject}}.Encode()
	}
	for i, key := range keys {
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/http"}, "Content-ID": {"<" + batchID + strconv.Itoa(i) + ">"},
		})
		if err == nil {
			_, err = fmt.Fprintf(part, "DELETE %s%s HTTP/1.1\r\n\r\n", b.objectPath(key), query)
		}
		if err != nil {
			return nil, "", &Error{Reason: ErrRejected, Err: err}
		}
	}
	if err := parts.Close(); err != nil {
		return nil, "", &Error{Reason: ErrRejected, Err: err}
	}
	return buffer.Bytes(), parts.Boundary(), nil
}

// readBatchPart reads the answer for one key. It is not ok when it cannot be told
// for which one, or does not come to its end.
func readBatchPart(part *multipart.Part) (i int, result error, ok bool) { //nolint:revive // the error is a result
	id := strings.TrimPrefix(strings.Trim(part.Header.Get("Content-ID"), "<>"), "response-")
	number, found := strings.CutPrefix(id, batchID)
	i, err := strconv.Atoi(number)
	if !found || err != nil || i < 0 {
		return 0, nil, false
	}
	response, err := http.ReadResponse(bufio.NewReader(part), nil)
	if err != nil {
		return 0, nil, false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit))
	if err != nil {
		return 0, nil, false
	}
	if response.StatusCode/100 == 2 {
		return i, gcsDeleted(response.StatusCode, body), true
	}
	e := gcsAnswerError(response, body)
	if response.StatusCode == http.StatusNotFound && len(bytes.TrimSpace(body)) == 0 {
		e.Reason = ErrNotFound // inside of a batch's answer it is the store's own
	}
	return i, e, true
}
