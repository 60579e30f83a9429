package config

import (
	"errors"

	"deckhand/internal/secret"
	"deckhand/internal/storage"
)

// GCS is how gs:// locations are reached. Without credentials of its own, the
// application default ones serve: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, or
// the metadata server of Google Cloud.
type GCS struct {
	// Endpoint of a server that speaks Google's protocol, as an emulator does.
	// Default: Google's.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Anonymous sends no credentials, for emulators. Default false.
	Anonymous bool `yaml:"anonymous,omitempty"`
	// Credentials are the content of a service account's JSON key, or of another file
	// of credentials of Google Cloud.
	Credentials secret.String `yaml:"credentials,omitempty"`
	// CredentialsFile holds the credentials.
	CredentialsFile string `yaml:"credentials_file,omitempty"`
	// Token is an OAuth 2 access token, which ends within the hour.
	Token secret.String `yaml:"token,omitempty"`
	// TokenFile holds the token.
	TokenFile string `yaml:"token_file,omitempty"`
	// Impersonate is the e-mail address of the service account as which everything is
	// done. Default: none.
	Impersonate string `yaml:"impersonate,omitempty"`
	// FromJob takes the service account to impersonate from the job where Impersonate
	// does not say it: whoever may queue purges then says as whom the worker acts.
	FromJob bool `yaml:"from_job,omitempty"`
	// UserProject pays for requests, where a bucket asks for it. Default: none.
	UserProject string `yaml:"user_project,omitempty"`
}

func (g *GCS) files() []*string { return []*string{&g.CredentialsFile, &g.TokenFile} }

func (g *GCS) readSecrets() error {
	return errors.Join(
		secret.Fill("credentials", &g.Credentials, g.CredentialsFile),
		secret.Fill("token", &g.Token, g.TokenFile))
}

func (g *GCS) hideSecrets() {
	hide(&g.Credentials, g.CredentialsFile)
	hide(&g.Token, g.TokenFile)
}

func (g GCS) config() storage.GCSConfig {
	return storage.GCSConfig{
		Endpoint: g.Endpoint, Anonymous: g.Anonymous, Credentials: g.Credentials.Reveal(), Token: g.Token.Reveal(),
		Impersonate: g.Impersonate, FromJob: g.FromJob, UserProject: g.UserProject,
	}
}
