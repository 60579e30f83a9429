package config

import (
	"deckhand/internal/secret"
	"deckhand/internal/storage"
)

// S3 is how s3:// locations are reached.
type S3 struct {
	// Endpoint of an S3-compatible store, http://host:port. Default: AWS.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Region. Default: AWS_REGION or the shared AWS files, else us-east-1.
	Region string `yaml:"region,omitempty"`
	// PathStyle puts the bucket into the path, as most stores but AWS want it.
	PathStyle bool `yaml:"path_style,omitempty"`
	// AccessKeyID and SecretAccessKey. Default: the credential chain of AWS.
	AccessKeyID     string        `yaml:"access_key_id,omitempty"`
	SecretAccessKey secret.String `yaml:"secret_access_key,omitempty"`
	// SecretAccessKeyFile holds the secret access key.
	SecretAccessKeyFile string `yaml:"secret_access_key_file,omitempty"`
	// SessionToken of temporary credentials.
	SessionToken secret.String `yaml:"session_token,omitempty"`
	// SessionTokenFile holds the session token.
	SessionTokenFile string `yaml:"session_token_file,omitempty"`
	// RoleARN is a role that is assumed with these credentials, for each job with a
	// policy that narrows it to the job's locations. Default: none.
	RoleARN string `yaml:"role_arn,omitempty"`
	// ExternalID that the role's trust policy asks for.
	ExternalID string `yaml:"external_id,omitempty"`
	// SessionName is what AWS' own log calls the sessions. Default deckhand.
	SessionName string `yaml:"session_name,omitempty"`
	// STSEndpoint is the address of the token service. Default: the store's endpoint,
	// without one that of AWS for the region.
	STSEndpoint string `yaml:"sts_endpoint,omitempty"`
	// STSRegion of the token service. Default: the region.
	STSRegion string `yaml:"sts_region,omitempty"`
	// FromJob takes endpoint, region, path style, role, external id and token service
	// from the job where they are not set here: whoever may queue purges then says
	// where the worker's credentials are used.
	FromJob bool `yaml:"from_job,omitempty"`
}

func (s S3) config() storage.S3Config {
	return storage.S3Config{
		Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle,
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal(),
		Role: storage.S3Role{
			ARN: s.RoleARN, ExternalID: s.ExternalID, SessionName: s.SessionName,
			STSEndpoint: s.STSEndpoint, STSRegion: s.STSRegion,
		},
		FromJob: s.FromJob,
	}
}
