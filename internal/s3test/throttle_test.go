package s3test_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
)

func TestAThrottledServerServesItsBurstAndAsksToSlowDown(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t, s3test.Options{RequestsPerSecond: 0.001, Burst: 2})
	c := client(t, srv, s3test.AccessKeyID)
	list := func() error {
		_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
		return err
	}
	require.NoError(t, list())
	require.NoError(t, list())
	require.Equal(t, "SlowDown", code(list()))
	require.EqualValues(t, 1, srv.Slowed())
	srv.Throttle(0, 0)
	require.NoError(t, list())
}
