package storage_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func TestAConfigurationIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, storage.Config{}.Validate(), "at least one allowed location")
	bad := storage.Config{
		Locations: []string{"oss://b"}, MaxInFlight: -1, RequestTimeout: -1,
		S3: storage.S3Config{Endpoint: "localhost:9000", SecretAccessKey: "hush"},
	}.Validate()
	for _, part := range []string{"unsupported scheme", "max in flight", "request timeout", "endpoint", "give both or none"} {
		require.ErrorContains(t, bad, part)
	}
	require.NotContains(t, bad.Error(), "hush")
	for _, endpoint := range []string{"http://user:hush@host", "http://user:hush@ho st", "http://h/?k=hush"} {
		err := storage.S3Config{Endpoint: endpoint}.Validate()
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
	}
	require.Error(t, storage.S3Config{SessionToken: "hush"}.Validate())
	full := storage.Config{Locations: []string{"s3://b"}}.WithDefaults()
	require.NoError(t, full.Validate())
	require.Equal(t, 32, full.MaxInFlight)
	require.Equal(t, storage.DefaultRequestTimeout, full.RequestTimeout)
	_, err := storage.NewStores(storage.Config{Name: "lake"}, nil)
	require.ErrorContains(t, err, `"lake"`)
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c := storage.S3Config{Endpoint: "http://h", AccessKeyID: "id", SecretAccessKey: "hush", SessionToken: "hush2"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("s3", c))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("s3", c))
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c, c, c), fmt.Sprintf("%+v", storage.Config{S3: c}),
		fmt.Sprintf("%#v", storage.Config{S3: c}), log.String(),
	} {
		require.NotContains(t, text, "hush")
		require.Contains(t, text, "redacted")
	}
}
