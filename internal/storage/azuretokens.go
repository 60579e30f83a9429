package storage

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// azureTokens gives the identity of a service principal or of the environment.
func azureTokens(cfg AzureConfig, host string, transport policy.Transporter) (azcore.TokenCredential, error) {
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
	return azureIdentity{identity}, nil
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

// azureIdentity marks the errors of tokens, which come out of the client as any
// other.
type azureIdentity struct{ azcore.TokenCredential }

func (i azureIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := i.TokenCredential.GetToken(ctx, options)
	if err != nil {
		return token, &azureTokenError{err}
	}
	return token, nil
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
