package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

const (
	// s3BatchLimit is the most keys that S3 takes in one DeleteObjects.
	s3BatchLimit = 1000
	// s3KeyLimit is the longest key that S3 stores, in bytes. Source: "Naming
	// Amazon S3 objects" in its user guide.
	s3KeyLimit = 1024
)

// s3Bucket is one bucket with one set of credentials.
//
// Objects are read and written through gocloud's driver, except for keys that
// the driver would rename. Listing and deleting use the client beneath it: the
// driver decodes "__0x2f__" and the like in listed keys, so that two objects
// come under one name and the wrong one would be deleted; and it has no batch
// delete, and asks for an object's head before each single one.
type s3Bucket struct {
	name      string
	blob      *blob.Bucket
	client    *s3.Client
	transport *http.Transport
	// noBatch is set once the store has shown that it does not take
	// DeleteObjects, whatever the keys are.
	noBatch atomic.Bool
	// unordered is set once the store has shown that it lists in another order than
	// that of the keys.
	unordered     atomic.Bool
	versions      *remembered[Versioning]
	unconditional unconditional
}

var (
	_ backend = (*s3Bucket)(nil)
	_ ranged  = (*s3Bucket)(nil)
)

// openS3 makes the client; it makes no request to the store, but the
// environment's configuration is read where it is needed.
func openS3(ctx context.Context, cfg Config, name string) (*s3Bucket, error) {
	transport := newTransport(cfg.MaxInFlight)
	client, err := newS3Client(ctx, cfg.S3, name, transport)
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: err}
	}
	bucket, err := s3blob.OpenBucket(ctx, client, name, &s3blob.Options{
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	if err != nil {
		return nil, &Error{Reason: ErrRejected, Err: err}
	}
	b := &s3Bucket{name: name, blob: bucket, transport: transport, versions: newRemembered[Versioning]()}
	if !bucket.As(&b.client) {
		return nil, &Error{Reason: ErrRejected, Err: errors.New("the bucket has no S3 client")}
	}
	return b, nil
}

func (b *s3Bucket) close() error {
	err := b.blob.Close()
	b.transport.CloseIdleConnections()
	return err
}

// plain says whether the driver leaves the key as it is: see escapeKey in
// gocloud.dev/blob/s3blob and HexEscape in gocloud.dev/internal/escape.
func plain(key string) bool {
	if !utf8.ValidString(key) || strings.Contains(key, "../") || strings.Contains(key, "__0x") {
		return false
	}
	for i := range len(key) {
		if key[i] < 0x20 {
			return false
		}
	}
	return true
}

func (b *s3Bucket) read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	body, out, err := b.get(ctx, key, offset, length)
	if err != nil {
		return nil, Info{}, s3Error(ctx, err)
	}
	info, err := readInfo(out, offset)
	if err != nil {
		_ = body.Close()
		return nil, Info{}, err
	}
	return body, info, nil
}

// get gives the client's own answer too: the driver's reader tells a missing
// length from an empty object no more.
func (b *s3Bucket) get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, *s3.GetObjectOutput, error) {
	if !plain(key) {
		in := &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: byteRange(offset, length)}
		out, err := b.client.GetObject(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		return out.Body, out, nil
	}
	r, err := b.blob.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, nil, err
	}
	out := new(s3.GetObjectOutput)
	if !r.As(out) {
		_ = r.Close()
		return nil, nil, errors.New("the driver hides the answer")
	}
	return r, out, nil
}

func (b *s3Bucket) write(ctx context.Context, key string, data []byte) error {
	const contentType = "application/octet-stream"
	if plain(key) {
		// Not NewWriter: Upload reports a failure of the request itself.
		err := b.blob.Upload(ctx, key, bytes.NewReader(data), &blob.WriterOptions{ContentType: contentType})
		return s3Error(ctx, err)
	}
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String(contentType),
	})
	return s3Error(ctx, err)
}

// deletable excludes what the XML of a DeleteObjects cannot carry. A key that cannot
// exist is left to deleteOne too, so that it does not spoil a batch.
func (b *s3Bucket) deletable(key string) bool {
	return !b.noBatch.Load() && len(key) <= s3KeyLimit && inXML(key)
}

func (b *s3Bucket) batchLimit() int { return s3BatchLimit }

func (b *s3Bucket) deleteBatch(ctx context.Context, keys []string) ([]error, error) {
	objects := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		objects[i].Key = &keys[i]
	}
	return b.deleteObjects(ctx, objects)
}

// deleteObjects gives one error per object, or one for the request as a whole.
func (b *s3Bucket) deleteObjects(ctx context.Context, objects []types.ObjectIdentifier) ([]error, error) {
	out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &b.name, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
	})
	if err != nil {
		err = s3Error(ctx, err)
		switch refusalOf(err) {
		case refusedByStore:
			b.noBatch.Store(true)
		case refusedPerhapsByStore:
			if !slices.ContainsFunc(objects, func(o types.ObjectIdentifier) bool { return isOdd(*o.Key) }) {
				b.noBatch.Store(true)
			}
		case refusedBatch:
		default:
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errBatchRefused, err)
	}
	results := make([]error, len(objects))
	if len(out.Errors) == 0 {
		return results, nil
	}
	places := make(map[string][]int, len(objects))
	for i, o := range objects {
		places[*o.Key] = append(places[*o.Key], i)
	}
	for _, e := range out.Errors {
		at := places[aws.ToString(e.Key)]
		if id := aws.ToString(e.VersionId); id != "" && slices.ContainsFunc(at, func(i int) bool { return aws.ToString(objects[i].VersionId) == id }) {
			at = slices.DeleteFunc(slices.Clone(at), func(i int) bool { return aws.ToString(objects[i].VersionId) != id })
		}
		if len(at) == 0 {
			// Some key failed, and nobody can say which.
			return nil, &Error{
				Code: aws.ToString(e.Code), Reason: ErrRejected,
				Err: errors.New("the store reports an error for a key that was not named"),
			}
		}
		for _, i := range at {
			results[i] = keyError(aws.ToString(e.Code), aws.ToString(e.Message))
		}
	}
	return results, nil
}

func (b *s3Bucket) deleteOne(ctx context.Context, key string) error {
	if len(key) > s3KeyLimit {
		return &Error{Reason: ErrRejected, Err: fmt.Errorf("its key has %d bytes, longer than S3's 1,024 bytes, so that it cannot be there", len(key))}
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	err = s3Error(ctx, err)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
