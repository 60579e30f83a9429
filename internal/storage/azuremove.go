package storage

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

func (b *azureContainer) move(ctx context.Context, m mover, from entry, to string) error {
	for _, key := range []string{from.key, to} {
		if err := m.try(ctx, func(ctx context.Context) error { return b.holds(ctx, key) }); err != nil {
			return err
		}
	}
	return moveByCopy(ctx, b, m, from, to)
}

// ask implements [copier].
func (b *azureContainer) ask(ctx context.Context, m mover, key string) (objectHead, error) {
	var head objectHead
	err := m.try(ctx, func(ctx context.Context) error {
		var err error
		head, err = b.head(ctx, key)
		return err
	})
	return head, err
}

// head tells no sum: the MD5 of a blob is whatever its writer said.
func (b *azureContainer) head(ctx context.Context, key string) (objectHead, error) {
	var out blob.GetPropertiesResponse
	answer, err := b.call(ctx, "GetBlobProperties", func(ctx context.Context, c *container.Client, _ string) error {
		var err error
		out, err = c.NewBlobClient(key).GetProperties(ctx, nil)
		return err
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "AuthenticationFailed" {
		// The answer to a HEAD has no body, which would say whether a token has ended.
		if _, told := b.clock(ctx, key); told != nil {
			err = told
		}
	}
	switch {
	case err != nil:
		return objectHead{}, err
	case isAzureFolder(answer.header):
		return objectHead{}, rejected("it is a directory and not a file")
	}
	info, err := azureInfo(answer, 0)
	if err != nil {
		return objectHead{}, err
	}
	return objectHead{Info: info, answer: &out}, nil
}

// copy implements [copier]. It is done by the store, at once or while it is asked
// about it.
func (b *azureContainer) copy(ctx context.Context, m mover, key string, source objectHead, to string) (etag string, err error) {
	tags, err := b.tags(ctx, m, key, source)
	if err != nil {
		return "", err
	}
	var copied blob.StartCopyFromURLResponse
	err = m.tryCopy(ctx, source.Size, func(ctx context.Context) error {
		_, err := b.call(ctx, "CopyBlob", func(ctx context.Context, c *container.Client, _ string) error {
			any, match := azcore.ETagAny, azcore.ETag(source.ETag)
			var err error
			// The address has the SAS token in it, if there is one.
			copied, err = c.NewBlobClient(to).StartCopyFromURL(ctx, c.NewBlobClient(key).URL(), &blob.StartCopyFromURLOptions{
				BlobTags:                       tags,
				SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: &match},
				AccessConditions:               &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &any}},
			})
			return err
		})
		if e, ok := errors.AsType[*Error](err); ok && e.Code == "BlobAlreadyExists" {
			e.Status = http.StatusPreconditionFailed // Azure says 409 of this condition
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if copied.CopyStatus != nil && *copied.CopyStatus == blob.CopyStatusTypePending {
		return b.awaitCopy(ctx, m, source.Size, to, copied.CopyID)
	}
	if copied.ETag == nil {
		return "", nil
	}
	return string(*copied.ETag), nil
}

// tags are what a copy does not take over by itself.
func (b *azureContainer) tags(ctx context.Context, m mover, key string, source objectHead) (map[string]string, error) {
	properties, ok := source.answer.(*blob.GetPropertiesResponse)
	if !ok || properties.TagCount == nil || *properties.TagCount == 0 {
		return nil, nil
	}
	tags := map[string]string{}
	err := m.try(ctx, func(ctx context.Context) error {
		_, err := b.call(ctx, "GetBlobTags", func(ctx context.Context, c *container.Client, _ string) error {
			out, err := c.NewBlobClient(key).GetTags(ctx, nil)
			if err != nil {
				return err
			}
			for _, tag := range out.BlobTagSet {
				tags[*tag.Key] = *tag.Value
			}
			return nil
		})
		return err
	})
	return tags, err
}

// awaitCopy asks until the store has ended the copy, or has had time enough to.
func (b *azureContainer) awaitCopy(ctx context.Context, m mover, size int64, to string, id *string) (etag string, err error) {
	wait := jittered(100*time.Millisecond, 10*time.Second)
	for began := time.Now(); ; {
		timer := time.NewTimer(wait.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", canceled(ctx)
		}
		head, err := b.ask(ctx, m, to)
		if err != nil {
			return "", err
		}
		now, _ := head.answer.(*blob.GetPropertiesResponse)
		switch {
		case now.CopyID == nil || id == nil || *now.CopyID != *id || now.CopyStatus == nil:
			return "", errExists("it was written over while the copy was made")
		case *now.CopyStatus == blob.CopyStatusTypeSuccess:
			return head.ETag, nil
		case *now.CopyStatus == blob.CopyStatusTypePending:
			if time.Since(began) > m.copyTime(size) {
				return "", &Error{Reason: ErrUnavailable, Err: errors.New("the store does not end the copy")}
			}
		default:
			return "", &Error{Reason: ErrUnavailable, Err: errors.New("the store ended the copy with the status " + string(*now.CopyStatus))}
		}
	}
}

// remove implements [copier].
func (b *azureContainer) remove(ctx context.Context, m mover, key string, source objectHead) error {
	match := azcore.ETag(source.ETag)
	return m.try(ctx, func(ctx context.Context) error {
		_, err := b.call(ctx, "DeleteBlob", func(ctx context.Context, c *container.Client, _ string) error {
			_, err := c.NewBlobClient(key).Delete(ctx, &blob.DeleteOptions{
				AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &match}},
			})
			return err
		})
		return err
	})
}
