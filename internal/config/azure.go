package config

import (
	"errors"

	"deckhand/internal/secret"
	"deckhand/internal/storage"
)

// Azure is how abfss:// locations are reached. Without credentials of its own, the
// environment's identity serves: AZURE_CLIENT_ID, AZURE_TENANT_ID and
// AZURE_CLIENT_SECRET, a workload or managed identity, or the login of Azure's own
// command.
type Azure struct {
	// Endpoint of the account's blob service, for an emulator or a private address:
	// http://host:port/account. Default: what the location names.
	Endpoint string `yaml:"endpoint,omitempty"`
	// AccountKey is one of the account's two keys.
	AccountKey secret.String `yaml:"account_key,omitempty"`
	// AccountKeyFile holds the account key.
	AccountKeyFile string `yaml:"account_key_file,omitempty"`
	// SASToken is a shared access signature for the containers or the account.
	SASToken secret.String `yaml:"sas_token,omitempty"`
	// SASTokenFile holds the SAS token.
	SASTokenFile string `yaml:"sas_token_file,omitempty"`
	// TenantID, ClientID and ClientSecret are those of a service principal; TenantID
	// alone is the tenant of the environment's identity.
	TenantID     string        `yaml:"tenant_id,omitempty"`
	ClientID     string        `yaml:"client_id,omitempty"`
	ClientSecret secret.String `yaml:"client_secret,omitempty"`
	// ClientSecretFile holds the client secret.
	ClientSecretFile string `yaml:"client_secret_file,omitempty"`
	// Authority is the address of Microsoft Entra ID. Default: that of the cloud of the
	// locations.
	Authority string `yaml:"authority,omitempty"`
}

func (a *Azure) files() []*string {
	return []*string{&a.AccountKeyFile, &a.SASTokenFile, &a.ClientSecretFile}
}

func (a *Azure) readSecrets() error {
	return errors.Join(
		secret.Fill("account_key", &a.AccountKey, a.AccountKeyFile),
		secret.Fill("sas_token", &a.SASToken, a.SASTokenFile),
		secret.Fill("client_secret", &a.ClientSecret, a.ClientSecretFile))
}

func (a *Azure) hideSecrets() {
	hide(&a.AccountKey, a.AccountKeyFile)
	hide(&a.SASToken, a.SASTokenFile)
	hide(&a.ClientSecret, a.ClientSecretFile)
}

func (a Azure) config() storage.AzureConfig {
	return storage.AzureConfig{
		Endpoint: a.Endpoint, AccountKey: a.AccountKey.Reveal(), SASToken: a.SASToken.Reveal(),
		TenantID: a.TenantID, ClientID: a.ClientID, ClientSecret: a.ClientSecret.Reveal(), Authority: a.Authority,
	}
}
