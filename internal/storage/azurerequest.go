package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// azureVersion is that of the protocol in which requests are made here.
const azureVersion = "2021-12-02"

// azureAnswerLimit is how much of an answer without a blob's bytes is read: of a full
// page of a listing whose names are as long as they can be, and all have metadata.
const azureAnswerLimit = 64 << 20

var errAnswerTooLong = errors.New("the answer is longer than any of Azure's")

// readAnswer reads an answer whole.
func readAnswer(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, azureAnswerLimit+1))
	if err == nil && len(data) > azureAnswerLimit {
		err = errAnswerTooLong
	}
	return data, err
}

// azureRequest is one that is made without Azure's library: it makes a client for each
// delete of a batch, and needs one for each level of an account.
type azureRequest struct {
	op, method string
	// path lies below that of the account, encoded; it begins with a slash.
	path        string
	query       url.Values
	contentType string
	body        []byte
	// status is the only one of success.
	status int
}

// submit makes the request, counts it and lets its answer be taken.
func (b *azureContainer) submit(ctx context.Context, r azureRequest, take func(azureAnswer) error) error {
	answer, err := b.clients.exchange(ctx, r)
	if err == nil {
		err = take(answer)
	}
	err = azureError(ctx, err)
	meterOf(ctx).request(r.op, azureCode(err))
	return err
}

func (c *azureClients) exchange(ctx context.Context, r azureRequest) (azureAnswer, error) {
	sign, sas, err := c.signer(ctx)
	if err != nil {
		return azureAnswer{}, err
	}
	address := c.root.String() + r.path + "?" + r.query.Encode()
	if sas != "" {
		address += "&" + sas
	}
	request, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(r.body))
	if err != nil {
		return azureAnswer{}, err
	}
	headers := map[string]string{"x-ms-date": time.Now().UTC().Format(http.TimeFormat), "x-ms-version": azureVersion}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if r.contentType != "" {
		request.Header.Set("Content-Type", r.contentType)
	}
	if signed := sign(r.method, request.URL.EscapedPath(), r.query, headers, r.contentType, len(r.body)); signed != "" {
		request.Header.Set("Authorization", signed)
	}
	response, err := c.options.Transport.Do(request)
	if err != nil {
		return azureAnswer{}, err
	}
	defer response.Body.Close()
	body, err := readAnswer(response.Body)
	switch {
	case err != nil:
		return azureAnswer{}, err
	case response.StatusCode != r.status:
		return azureAnswer{}, azureRefusal(response.StatusCode, response.Header, body)
	}
	return azureAnswer{status: r.status, taken: true, header: response.Header, body: body}, nil
}
