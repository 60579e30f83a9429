package storage

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// refusal says what the answer to a DeleteObjects means that rejects the whole
// request.
type refusal int

const (
	// notRefused: it says nothing about batches, the error is every key's.
	notRefused refusal = iota
	// refusedBatch: something in this batch is to blame, for instance one key.
	refusedBatch
	// refusedPerhapsByStore: the same, or the store reads no DeleteObjects as it
	// is sent.
	refusedPerhapsByStore
	// refusedByStore: the store does not know DeleteObjects, or wants it in a way
	// that it is not sent.
	refusedByStore
)

// refusals are the codes that say more than their status.
var refusals = map[string]refusal{
	"NotImplemented":       refusedByStore,
	"MethodNotAllowed":     refusedByStore,
	"UnsupportedOperation": refusedByStore,
	"MissingContentMD5":    refusedByStore,

	"BadDigest":      refusedPerhapsByStore,
	"InvalidDigest":  refusedPerhapsByStore,
	"InvalidRequest": refusedPerhapsByStore,
	"MalformedXML":   refusedPerhapsByStore,

	// About the bucket or the caller: each single delete would hear the same.
	"AuthorizationHeaderMalformed":       notRefused,
	"IllegalLocationConstraintException": notRefused,
	"InvalidBucketName":                  notRefused,
	"InvalidRegion":                      notRefused,
}

// refusalOf tells apart why a DeleteObjects failed. What passes by waiting, what
// is denied and what redirects is no refusal of the batch.
func refusalOf(err error) refusal {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return notRefused
	}
	if wantsMD5(e) {
		return refusedByStore
	}
	if r, ok := refusals[e.Code]; ok {
		return r
	}
	switch {
	case e.Status == http.StatusNotImplemented, e.Status == http.StatusMethodNotAllowed:
		return refusedByStore
	case errors.Is(e, ErrRejected) && e.Status/100 == 4, errors.Is(e, ErrNotFound):
		return refusedBatch
	}
	return notRefused
}

// wantsMD5 recognises a store that takes no other checksum, by its words: the
// codes differ. A digest that is wrong is not one that is missing.
func wantsMD5(e *Error) bool {
	return e.Status == http.StatusBadRequest && e.Code != "InvalidDigest" && e.Code != "BadDigest" &&
		strings.Contains(fmt.Sprint(e.Err), "MD5")
}

// isOdd says whether a store may stumble over the key in a DeleteObjects: when it
// is not plain ASCII or longer than S3 allows.
func isOdd(key string) bool {
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return true
		}
	}
	return len(key) > s3KeyLimit
}
