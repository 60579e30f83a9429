package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// azureSeen is what answers have shown of what an account keeps: whether it keeps
// versions is told to nobody but who administers it, and how long it keeps what is
// deleted only to who may ask the whole account.
type azureSeen struct {
	// read: blobs were read; versioned: one of them was a version, or was written as one.
	// Versions that are kept only since the newest of them was written do not show.
	read, versioned atomic.Bool
	// soft: a delete was none for good; gone: one was.
	soft, gone atomic.Bool
	kept       *remembered[Keeping]
}

// note looks at an answer. Source: "Get Blob" and "Delete Blob" in the reference of
// Azure Storage.
func (s *azureSeen) note(header http.Header) {
	if header.Get("x-ms-blob-type") != "" {
		s.read.Store(true)
	}
	if header.Get("x-ms-version-id") != "" {
		s.versioned.Store(true)
	}
	switch header.Get("x-ms-delete-type-permanent") {
	case "true":
		s.gone.Store(true)
	case "false":
		s.soft.Store(true)
	}
}

// azureRetention is what the blob service says of what is deleted. Source: "Get Blob
// Service Properties".
type azureRetention struct {
	XMLName xml.Name `xml:"StorageServiceProperties"`
	Policy  struct {
		Enabled bool
		Days    int
	} `xml:"DeleteRetentionPolicy"`
}

// keeping implements [keeper].
func (b *azureContainer) keeping(ctx context.Context, try tryFunc) (Keeping, error) {
	told, err := b.seen.kept.of(ctx, func() (Keeping, error) { return b.retention(ctx, try) })
	switch {
	case b.seen.versioned.Load():
		told.Versioning = VersioningOn
	case b.seen.read.Load():
		told.Versioning = VersioningOff
	}
	if err == nil {
		return told, nil
	}
	// What deletes have shown serves where the account may not be asked.
	switch {
	case b.seen.soft.Load():
		told.Soft, err = SoftOn, nil
	case b.seen.gone.Load():
		told.Soft, err = SoftOff, nil
	}
	return told, err
}

func (b *azureContainer) retention(ctx context.Context, try tryFunc) (Keeping, error) {
	var said azureRetention
	err := try(ctx, func(ctx context.Context) error {
		said = azureRetention{}
		return b.submit(ctx, azureRequest{
			op: "GetBlobServiceProperties", method: http.MethodGet, path: "/", status: http.StatusOK,
			query: url.Values{"restype": {"service"}, "comp": {"properties"}},
		}, func(answer azureAnswer) error {
			if err := xml.Unmarshal(bytes.TrimPrefix(answer.body, []byte("\xef\xbb\xbf")), &said); err != nil {
				return &Error{Status: http.StatusOK, Reason: ErrUnavailable, Err: errNotAzure, Hint: hintAzure}
			}
			return nil
		})
	})
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, ErrDenied) {
		denied := *e
		denied.Hint = "allow the credentials to read the properties of the blob service (blobServices/read)"
		err = &denied
	}
	if err != nil {
		return Keeping{}, err
	}
	if said.Policy.Enabled {
		return Keeping{Soft: SoftOn, SoftFor: time.Duration(said.Policy.Days) * 24 * time.Hour}, nil
	}
	return Keeping{Soft: SoftOff}, nil
}
