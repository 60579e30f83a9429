package storage

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// azureTokens gives the identity of a service principal or of the environment.
func azureTokens(cfg AzureConfig, host string, transport policy.Transporter) (*azureIdentity, error) {
	options := azcore.ClientOptions{
		Cloud: azureCloud(host), Transport: transport, Retry: policy.RetryOptions{MaxRetries: -1},
	}
	if cfg.Authority != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: cfg.Authority}
	}
	own := cfg.Authority != ""
	var (
		identity azcore.TokenCredential
		err      error
	)
	if cfg.ClientSecret != "" {
		identity, err = azidentity.NewClientSecretCredential(cfg.TenantID, cfg.ClientID, cfg.ClientSecret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: own})
	} else {
		identity, err = azidentity.NewDefaultAzureCredential(
			&azidentity.DefaultAzureCredentialOptions{ClientOptions: options, TenantID: cfg.TenantID, DisableInstanceDiscovery: own})
	}
	if err != nil {
		return nil, err
	}
	return &azureIdentity{TokenCredential: identity}, nil
}

// azureCloud is that of a host; the zero one is the public cloud, or what
// AZURE_AUTHORITY_HOST says.
func azureCloud(host string) cloud.Configuration {
	switch {
	case strings.HasSuffix(host, ".chinacloudapi.cn"):
		return cloud.AzureChina
	case strings.HasSuffix(host, ".usgovcloudapi.net"):
		return cloud.AzureGovernment
	}
	return cloud.Configuration{}
}

// azureIdentity holds the token that it got last, which not all credentials do, and
// marks the errors of tokens, which come out of the client as any other.
type azureIdentity struct {
	azcore.TokenCredential

	mu    sync.Mutex
	held  azcore.AccessToken
	asked policy.TokenRequestOptions
}

// tokenReserve is how long a token must still serve.
const tokenReserve = 6 * time.Minute

func (i *azureIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	i.mu.Lock()
	held, asked := i.held, i.asked
	i.mu.Unlock()
	now := time.Now()
	if slices.Equal(options.Scopes, asked.Scopes) && options.TenantID == asked.TenantID && options.Claims == "" &&
		now.Before(held.ExpiresOn.Add(-tokenReserve)) && (held.RefreshOn.IsZero() || now.Before(held.RefreshOn)) {
		return held, nil
	}
	token, err := i.TokenCredential.GetToken(ctx, options)
	if err != nil {
		return token, &azureTokenError{err}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	options.Claims = ""
	i.held, i.asked = token, options
	return token, nil
}

// current is the token that the client uses, who knows by the store's answers which
// tenant it is of.
func (i *azureIdentity) current(ctx context.Context) (azcore.AccessToken, error) {
	i.mu.Lock()
	asked := i.asked
	i.mu.Unlock()
	if len(asked.Scopes) == 0 {
		asked = policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}, EnableCAE: true}
	}
	return i.GetToken(ctx, asked)
}

// azureTokenError says that there is no token to ask the store with.
type azureTokenError struct{ err error }

func (e *azureTokenError) Error() string { return "no token: " + e.err.Error() }

// NonRetriable tells the client's layers not to repeat it.
func (e *azureTokenError) NonRetriable() {}

// loginCode finds what Microsoft Entra ID says in the answer that refuses a token.
var loginCode = regexp.MustCompile(`AADSTS\d+: [^"\\\r\n]*`)

// classified says what it means: a refusal is one, and no identity at all, or no
// answer, may pass.
func (e *azureTokenError) classified(ctx context.Context) *Error {
	if ctx.Err() != nil {
		return &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
	}
	const hint = "no credentials could be had, check the azure section of the catalog's configuration or the environment's identity"
	found := &Error{Reason: ErrUnavailable, Hint: hint}
	failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](e.err)
	if !ok || failed.RawResponse == nil {
		text := strings.Join(strings.Fields(e.err.Error()), " ")
		const most = 1000
		found.Err = errors.New(withoutSignatures(text[:min(len(text), most)]))
		return found
	}
	found.Status, found.retryAfter = failed.RawResponse.StatusCode, retryAfter(failed.RawResponse.Header)
	said := "the identity service gives no token"
	body, _ := runtime.Payload(failed.RawResponse)
	if code := loginCode.Find(body); code != nil {
		said += ": " + strings.TrimSpace(string(code))
		// Others may be those of a proxy.
		if found.Status == http.StatusBadRequest || found.Status == http.StatusUnauthorized || found.Status == http.StatusForbidden {
			found.Reason = ErrDenied
		}
	}
	found.Err = errors.New(said)
	return found
}
