package storage

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clock reads the Date header, see RFC 9110, section 6.6.1. An answer with an Age
// comes from a cache, and its Date is as old as that says, or older.
func (b *s3Bucket) clock(ctx context.Context, prefix string) (time.Time, error) {
	out, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &b.name, Prefix: &prefix, MaxKeys: aws.Int32(1), EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		return time.Time{}, s3Error(ctx, err)
	}
	raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok || raw.Header.Get("Age") != "" {
		return time.Time{}, nil
	}
	now, err := http.ParseTime(raw.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // a time that cannot be read is not known
	}
	return now, nil
}
