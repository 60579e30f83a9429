package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func TestARoleAndWhatJobsMaySayAreRead(t *testing.T) {
	t.Parallel()
	config, err := load(t, `
catalogs:
  lake:
    locations: [s3://warehouse/]
    s3:
      role_arn: arn:aws:iam::123456789012:role/deckhand
      external_id: lake/7
      session_name: deckhand-eu
      sts_endpoint: https://sts.eu-central-1.amazonaws.com
      sts_region: eu-central-1
      from_job: true
    purge: { verify: off, versions: delete }
`, nil, nil)
	require.NoError(t, err)
	lake, _ := config.Catalog("POLARIS", "lake")
	require.Equal(t, storage.S3Config{
		FromJob: true,
		Role: storage.S3Role{
			ARN: "arn:aws:iam::123456789012:role/deckhand", ExternalID: "lake/7", SessionName: "deckhand-eu",
			STSEndpoint: "https://sts.eu-central-1.amazonaws.com", STSRegion: "eu-central-1",
		},
	}, lake.StorageConfig().S3)
	require.Equal(t, VersionsDelete, lake.Purge.Versions)
}

func TestMistakesInARoleAndVersionsAreNamed(t *testing.T) {
	t.Parallel()
	for says, section := range map[string]string{
		`role_arn: "deckhand" is none`:               "s3: { role_arn: deckhand }",
		"there is no role_arn":                       "s3: { external_id: lake }",
		`did you mean "external_id"`:                 "s3: { externalid: lake }",
		"s3.from_job: want true or false":            "s3: { from_job: perhaps }",
		`versions: "all" is neither keep nor delete`: "purge: { versions: all }",
		"sts_endpoint: it must not hold a user":      "s3: { role_arn: 'arn:aws:iam::123456789012:role/x', sts_endpoint: 'https://user:topsecret@sts' }",
	} {
		_, err := load(t, fmt.Sprintf("catalogs:\n  lake: { locations: [s3://x/], %s }\n", section), nil, nil)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "lake")
		require.NotContains(t, err.Error(), "topsecret")
	}
}
