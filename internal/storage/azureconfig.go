package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// AzureConfig says how abfss:// locations are reached. Of account key, SAS token and
// client secret at most one is given; none means what the environment offers: a
// client of AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, a workload or
// managed identity, or the login of Azure's own command.
type AzureConfig struct {
	// Endpoint is the address of the account's blob service, where it is not the one
	// that the location names, for instance http://127.0.0.1:10000/devstoreaccount1
	// of an emulator. It is that of one account: all locations must be in the same.
	Endpoint string
	// AccountKey is one of the two keys of the account, in base64.
	AccountKey string
	// SASToken is a shared access signature, with or without its question mark.
	SASToken string
	// TenantID, ClientID and ClientSecret are a service principal's. TenantID alone
	// is the tenant of the environment's identity.
	TenantID, ClientID, ClientSecret string
	// Authority is the address of Microsoft Entra ID. Default: that of the cloud that
	// the location's host belongs to.
	Authority string
	// Renew is asked for the SAS token of each request, in place of the other
	// credentials: it knows when to get another. May be nil.
	Renew func(ctx context.Context) (AzureCredentials, error)
}

// AzureCredentials are temporary ones.
type AzureCredentials struct {
	// SASToken is a shared access signature, with or without its question mark.
	SASToken string
	// Expires is when the store refuses it; zero: never.
	Expires time.Time
}

// String shows no secret.
func (c AzureCredentials) String() string { return "{" + redacted(c.SASToken) + "}" }

// GoString is String, so that %#v shows no secret either.
func (c AzureCredentials) GoString() string { return "storage.AzureCredentials" + c.String() }

// LogValue shows no secret.
func (c AzureCredentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText shows no secret, also in JSON.
func (c AzureCredentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Validate reports every mistake at once; no message holds a secret.
func (c AzureConfig) Validate() error {
	var errs []error
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
		errs = append(errs, err)
	}
	if err := checkEndpoint("authority", c.Authority); err != nil {
		errs = append(errs, err)
	} else if strings.HasPrefix(c.Authority, "http:") {
		errs = append(errs, errors.New("authority: secrets are sent to it, so that it must be https://"))
	}
	if _, err := base64.StdEncoding.DecodeString(c.AccountKey); err != nil {
		errs = append(errs, errors.New("account_key: it is not base64, take it as Azure shows it"))
	}
	if err := checkSAS(c.SASToken); err != nil {
		errs = append(errs, fmt.Errorf("sas_token: %w", err))
	}
	given := 0
	for _, secret := range []string{c.AccountKey, c.SASToken, c.ClientSecret} {
		if secret != "" {
			given++
		}
	}
	if given > 1 {
		errs = append(errs, errors.New("account_key, sas_token and client_secret: give one of them"))
	}
	if principal := c.ClientID != "" && c.ClientSecret != "" && c.TenantID != ""; !principal && (c.ClientID != "" || c.ClientSecret != "") {
		errs = append(errs, errors.New("tenant_id, client_id and client_secret: a service principal needs all three"))
	}
	if strings.HasPrefix(c.Endpoint, "http:") && c.AccountKey == "" && c.SASToken == "" && c.Renew == nil {
		errs = append(errs, errors.New("endpoint: tokens are sent only over https://, give an account_key or a sas_token"))
	}
	return errors.Join(errs...)
}

// validateAzure looks at the locations too: an endpoint is one account's, and would
// make another's blobs of the same names.
func (c Config) validateAzure() error {
	err := c.Azure.Validate()
	if c.Azure.Endpoint == "" {
		return err
	}
	accounts := map[string]bool{}
	for _, text := range c.Locations {
		if l, err := Parse(text); err == nil && l.Scheme == azureScheme {
			_, host, _ := strings.Cut(l.Bucket, "@")
			accounts[host] = true
		}
	}
	if len(accounts) > 1 {
		err = errors.Join(err, errors.New("endpoint: the locations are of several accounts, and an endpoint is that of one"))
	}
	return err
}

// checkSAS says whether the text, "" for none, can be a shared access signature.
func checkSAS(token string) error {
	if token == "" {
		return nil
	}
	values, err := url.ParseQuery(strings.TrimPrefix(token, "?"))
	switch {
	case err != nil: // whose message would repeat it
		return errors.New("it cannot be read, take it as Azure shows it: sv=…&sig=…")
	case values.Get("sig") == "":
		return errors.New("it has no signature, take it as Azure shows it: sv=…&sig=…")
	case strings.ContainsAny(token, " \r\n\t#"):
		return errors.New("it has a blank or a hash in it, take it as Azure shows it: sv=…&sig=…")
	}
	return nil
}

// String shows everything but the secrets.
func (c AzureConfig) String() string {
	return fmt.Sprintf("{endpoint:%s account_key:%s sas_token:%s tenant_id:%s client_id:%s client_secret:%s authority:%s}",
		c.Endpoint, redacted(c.AccountKey), redacted(c.SASToken), c.TenantID, c.ClientID, redacted(c.ClientSecret), c.Authority)
}

// GoString is String, so that %#v shows no secret either.
func (c AzureConfig) GoString() string { return "storage.AzureConfig" + c.String() }

// LogValue shows everything but the secrets.
func (c AzureConfig) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint), slog.String("account_key", redacted(c.AccountKey)),
		slog.String("sas_token", redacted(c.SASToken)), slog.String("tenant_id", c.TenantID),
		slog.String("client_id", c.ClientID), slog.String("client_secret", redacted(c.ClientSecret)),
		slog.String("authority", c.Authority))
}
