package storage_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
	"deckhand/internal/storage"
)

// bare takes the machine's own AWS configuration out of the environment.
func bare(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "",
		"AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_CONFIG_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}

func ambient(c *storage.Config, _ *storage.SessionConfig) {
	c.S3.AccessKeyID, c.S3.SecretAccessKey, c.S3.Region = "", "", ""
	c.Retries = -1
}

func TestEmptyKeysMeanTheCredentialsOfTheEnvironment(t *testing.T) {
	bare(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3test.SecretAccessKey)
	l := open(t, s3test.Options{CheckAuth: true}, ambient)
	l.srv.Put(bucket, "t/x", []byte("x"))
	require.Equal(t, "x", readAll(t, l.Session, key("t/x")))
}

func TestWithoutAnyCredentialsTheErrorSaysSo(t *testing.T) {
	bare(t)
	l := open(t, s3test.Options{CheckAuth: true}, ambient)
	_, _, err := l.Open(t.Context(), key("t/x"))
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorContains(t, err, "credentials")
	require.Zero(t, l.srv.Total())
}

// As `worker doctor` asks what a catalog's credentials may do.
func TestRightsCanBeProbedWithoutTouchingAnything(t *testing.T) {
	t.Parallel()
	l := open(t, s3test.Options{}, nil)
	l.fill(3)
	before := l.srv.Keys(bucket)
	for o, err := range l.ListLimit(t.Context(), key("t"), 1) {
		require.NoError(t, err)
		body, err := l.OpenRange(t.Context(), o.Location, 0, 1)
		require.NoError(t, err)
		require.NoError(t, body.Close())
	}
	require.NoError(t, l.Delete(t.Context(), keys("t/.deckhand-doctor-01JDABCDEF"))[0].Err)
	require.Equal(t, before, l.srv.Keys(bucket))
	require.Equal(t, map[string]int64{"ListObjectsV2": 1, "GetObject": 1, "DeleteObjects": 1}, l.srv.Counts())
}
