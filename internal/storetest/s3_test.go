package storetest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// overS3 runs the suite on a bucket of a server that takes storetest's keys.
func overS3(t *testing.T, endpoint string, change func(*storetest.Store)) {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(storetest.AccessKeyID, storetest.SecretAccessKey, ""),
	})
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("warehouse")})
	require.NoError(t, err)
	with := func(secret string) func(string) storage.Config {
		return func(endpoint string) storage.Config {
			cfg := storetest.S3At(endpoint)
			cfg.SecretAccessKey = secret
			return storage.Config{S3: cfg}
		}
	}
	store := storetest.Store{
		Root: "s3://warehouse/", Endpoint: endpoint,
		Config: with(storetest.SecretAccessKey), Wrong: with("another"), Secrets: []string{storetest.SecretAccessKey},
		Throttled: slowDown, Batch: 1000, NoBucket: "s3://no-such-bucket/",
	}
	change(&store)
	storetest.Run(t, store)
}

func TestMinIO(t *testing.T) {
	t.Parallel()
	overS3(t, storetest.StartMinIO(t), func(s *storetest.Store) {
		s.Fate = func(name string) storetest.Fate {
			switch {
			case strings.Contains(name, "//"), len(name) > 255:
				return storetest.Refused
			case name == "prefix/of another":
				return storetest.Untold // it lists no object below one of that name
			}
			return storetest.Held
		}
	})
}

func TestVersityGW(t *testing.T) {
	t.Parallel()
	overS3(t, storetest.StartVersityGW(t), func(s *storetest.Store) {
		s.Fate = func(name string) storetest.Fate {
			switch {
			case strings.Contains(name, "//"), name == "prefix", strings.ContainsAny(name, "\x01\uffff"):
				// It writes another name, has files below folders alone, and lists what
				// XML cannot hold as another character.
				return storetest.Untold
			case len(name) > 255, name == "folder/":
				return storetest.Refused
			}
			return storetest.Held
		}
	})
}
