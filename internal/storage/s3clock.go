package storage

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clock reads the Date header of the answer to a listing.
func (b *s3Bucket) clock(ctx context.Context, prefix string) (time.Time, error) {
	out, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &b.name, Prefix: &prefix, MaxKeys: aws.Int32(1), EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		return time.Time{}, s3Error(ctx, err)
	}
	raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		return time.Time{}, nil
	}
	return dateOf(raw.Header), nil
}
