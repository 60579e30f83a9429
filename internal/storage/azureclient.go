package storage

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureClients makes the clients of one container. With a SAS token, which a client
// has in its address, each token needs one of its own.
type azureClients struct {
	// root is the address of the account, path that of the container below it.
	root     *url.URL
	path     string
	address  string
	account  string
	cfg      AzureConfig
	options  container.ClientOptions
	identity *azureIdentity // nil where something else serves

	mu     sync.Mutex
	sas    string
	client *container.Client
}

// newAzureClients makes no request.
func newAzureClients(cfg AzureConfig, bucket string, transport http.RoundTripper) (*azureClients, error) {
	name, account, host := azureParts(bucket)
	c := &azureClients{path: "/" + url.PathEscape(name), account: account, cfg: cfg}
	var err error
	if c.root, err = url.Parse(cmp.Or(strings.TrimRight(cfg.Endpoint, "/"), "https://"+host)); err != nil {
		return nil, err
	}
	c.address = c.root.String() + c.path
	c.options.ClientOptions = azureOptions(transport)
	if cfg.Renew != nil {
		return c, nil
	}
	c.sas = strings.TrimPrefix(cfg.SASToken, "?")
	c.client, err = c.open(host)
	return c, err
}

// azureOptions are those of clients that do not repeat requests: that is the
// session's, which knows the bucket's limiter.
func azureOptions(transport http.RoundTripper) azcore.ClientOptions {
	return azcore.ClientOptions{
		Retry: policy.RetryOptions{MaxRetries: -1},
		Transport: &http.Client{
			Transport: transport,
			// A redirect would carry the signature of another address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Telemetry:       policy.TelemetryOptions{ApplicationID: "deckhand"},
		PerCallPolicies: []policy.Policy{takeAnswer{}},
	}
}

// open makes the client with the credentials that do not change.
func (c *azureClients) open(host string) (*container.Client, error) {
	switch {
	case c.cfg.SASToken != "":
		return container.NewClientWithNoCredential(c.address+"?"+c.sas, &c.options)
	case c.cfg.AccountKey != "":
		key, err := container.NewSharedKeyCredential(c.account, c.cfg.AccountKey)
		if err != nil {
			return nil, err
		}
		return container.NewClientWithSharedKeyCredential(c.address, key, &c.options)
	}
	var err error
	if c.identity, err = azureTokens(c.cfg, host, c.options.Transport); err != nil {
		return nil, err
	}
	return container.NewClient(c.address, c.identity, &c.options)
}

// get gives the client for a request, and the SAS token in its address, "" for none.
func (c *azureClients) get(ctx context.Context) (client *container.Client, sas string, err error) {
	if c.cfg.Renew == nil {
		return c.client, c.sas, nil
	}
	fresh, err := c.cfg.Renew(ctx)
	if err != nil {
		return nil, "", &Error{Reason: ErrUnavailable, Err: err}
	}
	sas = strings.TrimPrefix(fresh.SASToken, "?")
	if err := checkSAS(sas); err != nil || sas == "" {
		return nil, "", &Error{Reason: ErrRejected, Err: err, Hint: "the catalog vends no SAS token that could be used"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil || c.sas != sas {
		client, err := container.NewClientWithNoCredential(c.address+"?"+sas, &c.options)
		if err != nil {
			return nil, "", &Error{Reason: ErrRejected, Err: azureCause(err)}
		}
		c.client, c.sas = client, sas
	}
	return c.client, sas, nil
}

// ofDirectory says whether the SAS token is one for a directory, which allows no
// request about the container.
func ofDirectory(sas string) bool {
	values, err := url.ParseQuery(sas)
	return err == nil && values.Get("sr") == "d"
}

// azureAnswer is the answer to a request, where it is read here and not by the
// client.
type azureAnswer struct {
	// status is that of the answer; the client deals with others.
	status int
	taken  bool
	header http.Header
	body   []byte
}

type azureAnswerKey struct{}

// withAnswer lets a request's answer with that status be taken. The client's own
// reading of it takes the page of a proxy for an empty listing, and decodes a plus in
// a name as a blank.
func withAnswer(ctx context.Context, answer *azureAnswer) context.Context {
	return context.WithValue(ctx, azureAnswerKey{}, answer)
}

// takeAnswer reads the answer for who asked for it, and leaves an empty one for the
// client, whose verdict on it means nothing then.
type takeAnswer struct{}

func (takeAnswer) Do(r *policy.Request) (*http.Response, error) {
	response, err := r.Next()
	answer, ok := r.Raw().Context().Value(azureAnswerKey{}).(*azureAnswer)
	if err != nil || !ok || response.StatusCode != answer.status {
		return response, err
	}
	data, err := readAnswer(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(nil))
	if err != nil {
		return response, err
	}
	answer.taken, answer.header, answer.body = true, response.Header, data
	return response, nil
}
