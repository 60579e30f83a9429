package standin

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// files are where a catalog reads and writes metadata: the local file system and
// an S3 server.
type files struct{ client *s3.Client }

func openFiles(store *S3) files {
	if store == nil {
		return files{}
	}
	return files{client: s3.New(s3.Options{
		BaseEndpoint: aws.String(store.Endpoint), UsePathStyle: true,
		Region:      cmp.Or(store.Region, "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKeyID, store.SecretAccessKey, ""),
	})}
}

// localPath gives the path of file:/x, file:///x and /x.
func localPath(location string) (string, bool) {
	path, ok := strings.CutPrefix(location, "file:")
	if !ok {
		return location, strings.HasPrefix(location, "/")
	}
	return "/" + strings.TrimLeft(path, "/"), true
}

func splitS3(location string) (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(location, "s3://")
	if !ok {
		rest, ok = strings.CutPrefix(location, "s3a://")
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, ok
}

// read gives the content, unpacked where it is gzip. The refusals are what a
// Polaris answers when a file is missing or the store does not answer.
func (f files) read(ctx context.Context, location string) ([]byte, error) {
	data, err := f.raw(ctx, location)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", location, err)
	}
	return io.ReadAll(unpacked)
}

func (f files) raw(ctx context.Context, location string) ([]byte, error) {
	if path, ok := localPath(location); ok {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, missingFile(location)
		}
		return data, err
	}
	bucket, key, ok := splitS3(location)
	if !ok || f.client == nil {
		return nil, badRequest("Cannot read %s: no store for its scheme", location)
	}
	object, err := f.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	var gone *types.NoSuchKey
	if errors.As(err, &gone) {
		return nil, missingFile(location)
	}
	if err != nil {
		return nil, storeDown(err)
	}
	defer func() { _ = object.Body.Close() }()
	data, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, storeDown(err)
	}
	return data, nil
}

func (f files) write(ctx context.Context, location string, data []byte) error {
	if path, ok := localPath(location); ok {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		return os.WriteFile(path, data, 0o600)
	}
	bucket, key, ok := splitS3(location)
	if !ok || f.client == nil {
		return badRequest("Cannot write %s: no store for its scheme", location)
	}
	_, err := f.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
	if err != nil {
		return storeDown(err)
	}
	return nil
}

// remove deletes a metadata file of a commit that lost, or that the log dropped.
// What cannot be deleted stays.
func (f files) remove(ctx context.Context, location string) {
	if path, ok := localPath(location); ok {
		_ = os.Remove(path)
		return
	}
	if bucket, key, ok := splitS3(location); ok && f.client != nil {
		_, _ = f.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	}
}

func missingFile(location string) error {
	return refuse(http.StatusBadRequest, "NotFoundException", "Location does not exist: %s", location)
}

func unreadable(location string) error {
	return refuse(http.StatusServiceUnavailable, "RuntimeIOException", "Failed to read file: %s", location)
}

func storeDown(err error) error {
	return refuse(http.StatusInternalServerError, "SdkClientException", "Unable to execute HTTP request: %v", err)
}
