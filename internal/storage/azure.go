package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureContainer is one container with one set of credentials. It speaks the API of
// blobs, which is there for accounts with a hierarchical namespace too: their
// directories are blobs to it, which are never listed or read, and which it
// deletes only when they are empty.
type azureContainer struct {
	clients   *azureClients
	transport *http.Transport
	// noBatch is set once the store has shown that it does not take batches, or not
	// with these credentials.
	noBatch atomic.Bool
	// unordered is set once the store has shown that it lists in another order than
	// that of the keys.
	unordered atomic.Bool
	kind      accountKind
	seen      azureSeen
}

var (
	_ client = (*azureContainer)(nil)
	_ ranged = (*azureContainer)(nil)
	_ copier = (*azureContainer)(nil)
)

// openAzure makes the clients; it makes no request.
func openAzure(cfg Config, bucket string) (*azureContainer, error) {
	transport := newTransport(cfg.MaxInFlight)
	clients, err := newAzureClients(cfg.Azure, bucket, transport)
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: azureCause(err)}
	}
	return &azureContainer{clients: clients, transport: transport, seen: azureSeen{kept: newRemembered[Keeping]()}}, nil
}

func (b *azureContainer) close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// azureHead is an answer without its body.
type azureHead struct {
	header http.Header
	length int64 // of the body, -1 when it is not told
	ends   bool  // whether the end of the body can be told from that of a connection
}

// call makes one request and counts it.
func (b *azureContainer) call(ctx context.Context, op string, request func(ctx context.Context, c *container.Client, sas string) error) (azureHead, error) {
	var answer *http.Response
	client, sas, err := b.clients.get(ctx)
	if err == nil {
		err = azureError(ctx, request(policy.WithCaptureResponse(ctx, &answer), client, sas))
	}
	meterOf(ctx).request(op, azureCode(err))
	if answer == nil {
		return azureHead{}, err
	}
	b.seen.note(answer.Header)
	// RFC 9112, section 6.3.
	ends := answer.ProtoMajor >= 2 || answer.ContentLength >= 0 || slices.Contains(answer.TransferEncoding, "chunked")
	return azureHead{header: answer.Header, length: answer.ContentLength, ends: ends}, err
}

func (b *azureContainer) read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	if err := azureKey(key); err != nil {
		return nil, Info{}, err
	}
	options := &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: offset}}
	if length >= 0 {
		options.Range.Count = max(length, 1)
	}
	var body io.ReadCloser
	answer, err := b.call(ctx, "GetBlob", func(ctx context.Context, c *container.Client, _ string) error {
		out, err := c.NewBlobClient(key).DownloadStream(ctx, options)
		body = out.Body
		return err
	})
	if err != nil {
		return nil, Info{}, err
	}
	info, err := azureInfo(answer, offset)
	if isAzureFolder(answer.header) {
		err = rejected("it is a directory and not a file")
	}
	if err != nil {
		_ = body.Close()
		return nil, Info{}, err
	}
	return body, info, nil
}

// isAzureFolder says whether the blob is a directory: of an account with a
// hierarchical namespace, or one that Hadoop's drivers made up elsewhere.
func isAzureFolder(header http.Header) bool {
	return strings.EqualFold(header.Get("x-ms-resource-type"), "directory") ||
		strings.EqualFold(header.Get("x-ms-meta-"+folderMark), "true")
}

// folderMark is the metadata of a directory.
const folderMark = "hdi_isfolder"

// azureInfo describes the blob of an answer that begins at the offset. An answer
// that begins elsewhere, or whose end could not be told from that of a broken
// connection, is none.
func azureInfo(answer azureHead, offset int64) (Info, error) {
	unlike := func(why string) (Info, error) {
		return Info{}, &Error{Reason: ErrUnavailable, Hint: hintAzure, Err: errors.New(why)}
	}
	if answer.header.Get("x-ms-request-id") == "" {
		return unlike("the answer is not one of Azure's blob service")
	}
	info := Info{Size: answer.length, ETag: answer.header.Get("ETag")}
	if at, err := http.ParseTime(answer.header.Get("Last-Modified")); err == nil {
		info.ModTime = knownTime(at)
	}
	first, size, partial := contentRange(answer.header.Get("Content-Range"))
	if partial {
		info.Size = size
	}
	if offset > 0 && info.Size >= 0 && offset >= info.Size { // Azurite does not say 416
		return Info{}, rejected("the range begins behind the end of the blob")
	}
	if first != offset {
		return unlike("the store did not send the range that was asked for")
	}
	if !answer.ends {
		return unlike("the answer has neither a length nor chunks, so that its end cannot be told from a broken connection")
	}
	return info, nil
}

func (b *azureContainer) write(ctx context.Context, key string, data []byte) error {
	if err := b.holds(ctx, key); err != nil {
		return err
	}
	contentType := "application/octet-stream"
	_, err := b.call(ctx, "PutBlob", func(ctx context.Context, c *container.Client, _ string) error {
		_, err := c.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)),
			&blockblob.UploadOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &contentType}})
		return err
	})
	return err
}

func (b *azureContainer) deleteOne(ctx context.Context, key string) error {
	if err := b.holds(ctx, key); err != nil {
		return err
	}
	_, err := b.call(ctx, "DeleteBlob", func(ctx context.Context, c *container.Client, _ string) error {
		_, err := c.NewBlobClient(key).Delete(ctx, nil)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
