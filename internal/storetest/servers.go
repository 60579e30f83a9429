package storetest

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// The keys that the servers of this file take.
const (
	AccessKeyID     = "storetest"
	SecretAccessKey = "storetest-secret"
)

// S3At is how one of them is reached.
func S3At(endpoint string) storage.S3Config {
	return storage.S3Config{
		Endpoint: endpoint, Region: "us-east-1", PathStyle: true, AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey,
	}
}

// StartMinIO runs MinIO, which is also a token service at the same address.
func StartMinIO(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint = Start(t, Process{
		Name: "minio", Ready: "/minio/health/ready",
		Args: func(port int, folder string) []string {
			return []string{"server", "--quiet", "--address", "127.0.0.1:" + strconv.Itoa(port), folder}
		},
		Env: []string{"MINIO_ROOT_USER=" + AccessKeyID, "MINIO_ROOT_PASSWORD=" + SecretAccessKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off"},
	})
	// It says that it is ready before it takes requests, and what it knows of roles
	// comes last.
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := sts.New(sts.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(AccessKeyID, SecretAccessKey, ""),
	})
	require.Eventually(t, func() bool {
		_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::123456789012:role/ready"), RoleSessionName: aws.String("ready"),
		})
		return err == nil
	}, startTimeout, 20*time.Millisecond)
	return endpoint
}

// StartVersityGW runs versitygw over a folder, with versions.
func StartVersityGW(t testing.TB) (endpoint string) {
	t.Helper()
	return Start(t, Process{
		Name: "versitygw", Ready: "/healthz",
		Args: func(port int, folder string) []string {
			objects, versions := filepath.Join(folder, "objects"), filepath.Join(folder, "versions")
			for _, path := range []string{objects, versions} {
				require.NoError(t, os.MkdirAll(path, 0o700))
			}
			return []string{
				"--port", "127.0.0.1:" + strconv.Itoa(port), "--keep-alive", "--quiet", "--health", "/healthz",
				"posix", "--versioning-dir", versions, objects,
			}
		},
		Env: []string{"ROOT_ACCESS_KEY=" + AccessKeyID, "ROOT_SECRET_KEY=" + SecretAccessKey},
	})
}
