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
	"net/url"
	"strconv"
)

// azureBatchLimit is the most blobs that Azure deletes in one batch. Source: "Blob
// Batch" in the reference of Azure Storage.
const azureBatchLimit = 256

func (b *azureContainer) batchLimit() int { return azureBatchLimit }

// deletable leaves to deleteOne what would spoil a batch, or needs a look at the
// account before.
func (b *azureContainer) deletable(key string) bool {
	if b.noBatch.Load() || azureKey(key) != nil || slashed(key) {
		return false
	}
	for _, c := range []byte(key) {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}

func (b *azureContainer) deleteBatch(ctx context.Context, keys []string) ([]error, error) {
	body, boundary, sas, err := b.clients.batchBody(ctx, keys)
	switch {
	case err != nil:
		return nil, azureError(ctx, err)
	case ofDirectory(sas):
		b.noBatch.Store(true)
		return nil, fmt.Errorf("%w: the SAS token is for a directory", errBatchRefused)
	}
	var results []error
	err = b.submit(ctx, azureRequest{
		op: "BlobBatch", method: http.MethodPost, path: b.clients.path, status: http.StatusAccepted,
		query: url.Values{"restype": {"container"}, "comp": {"batch"}}, contentType: "multipart/mixed; boundary=" + boundary, body: body,
	}, func(answer azureAnswer) error {
		var err error
		results, err = azureResults(answer, len(keys), b.seen.note)
		return err
	})
	if err == nil {
		return results, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return nil, err
	}
	switch {
	case e.Status == http.StatusNotImplemented, e.Status == http.StatusMethodNotAllowed,
		e.Code == "InvalidQueryParameterValue", e.Code == "UnsupportedQueryParameter", e.Code == "FeatureNotSupported":
		b.noBatch.Store(true)
	case errors.Is(e, ErrRejected) && e.Status/100 == 4:
	default:
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", errBatchRefused, err)
}

// azureResults reads the answer to a batch of n deletes. Each must have its own
// answer, or nobody can say what was deleted. note looks at each.
func azureResults(answer azureAnswer, n int, note func(http.Header)) ([]error, error) {
	unlike := func(why string) ([]error, error) {
		return nil, &Error{Status: answer.status, Reason: ErrUnavailable, Hint: hintAzure, Err: errors.New(why)}
	}
	kind, params, err := mime.ParseMediaType(answer.header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || params["boundary"] == "" {
		return unlike("the answer to a batch of deletes is none")
	}
	results, told := make([]error, n), make([]bool, n)
	parts := multipart.NewReader(bytes.NewReader(answer.body), params["boundary"])
	buffer := bufio.NewReader(nil)
	for left := n; left > 0; left-- {
		part, err := parts.NextRawPart()
		if err != nil {
			return unlike(fmt.Sprintf("the answer to a batch of %d deletes breaks off before %d of them", n, left))
		}
		id, numbered := part.Header["Content-Id"]
		status, header, body, err := azurePart(part, buffer)
		if err != nil {
			return unlike("a part of the answer to a batch of deletes cannot be read")
		}
		if !numbered && status >= 300 {
			return nil, azureRefusal(status, header, body) // of the whole batch
		}
		i, err := strconv.Atoi(first(id))
		if err != nil || i < 0 || i >= n || told[i] {
			return unlike("the answer to a batch of deletes does not say which of them it is about")
		}
		told[i] = true
		note(header)
		if status/100 == 2 {
			continue
		}
		if refused := azureRefusal(status, header, body); !errors.Is(refused, ErrNotFound) {
			results[i] = refused
		}
	}
	return results, nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// azurePart reads one answer of many, by a buffer for all of them.
func azurePart(part io.Reader, buffer *bufio.Reader) (status int, header http.Header, body []byte, err error) {
	data, err := io.ReadAll(part)
	if err != nil {
		return 0, nil, nil, err
	}
	// The last line may lack its end.
	buffer.Reset(bytes.NewReader(append(data, "\r\n\r\n"...)))
	response, err := http.ReadResponse(buffer, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, body, err
}
