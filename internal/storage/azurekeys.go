package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureKeyLimit is the longest name of a blob, in characters. Source: "Naming and
// referencing containers, blobs, and metadata" of Azure Storage.
const azureKeyLimit = 1024

// azureKey says by error which names no blob can have. A request for some of them
// would reach another blob: Azure takes a backslash for a slash, and drops dots at
// the end of a path's step.
func azureKey(key string) error {
	switch {
	case key == "":
		return rejected("it names the container and no blob")
	case !utf8.ValidString(key):
		return rejected("its key is no UTF-8, so that it cannot be there")
	case utf8.RuneCountInString(key) > azureKeyLimit:
		return rejected(fmt.Sprintf("its key has %d characters, more than Azure's 1,024, so that it cannot be there", utf8.RuneCountInString(key)))
	case strings.Contains(key, `\`):
		return rejected("its key has a backslash, which Azure takes for a slash, so that another blob would be meant")
	case strings.HasSuffix(key, "."), strings.Contains(key, "./"):
		return rejected("a step of its key ends with a dot, which Azure drops, so that another blob would be meant")
	}
	return nil
}

// slashed says whether a step of the key is empty.
func slashed(key string) bool {
	return strings.Contains(key, "//") || strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/")
}

// holds is azureKey for what is to be written or deleted. An account with a
// hierarchical namespace leaves empty steps out, so that another blob would be
// meant there.
func (b *azureContainer) holds(ctx context.Context, key string) error {
	if err := azureKey(key); err != nil || !slashed(key) {
		return err
	}
	flat, err := b.isFlat(ctx)
	switch {
	case errors.Is(err, ErrDenied), errors.Is(err, ErrRejected):
		return &Error{
			Reason: ErrRejected, Err: errors.New("a step of its key is empty, and whether the account keeps such steps is not known"),
			Hint: "allow the credentials to get the account's information (blobServices/getInfo)",
		}
	case err != nil:
		return err
	case !flat:
		return rejected("a step of its key is empty, which an account with a hierarchical namespace leaves out, so that another blob would be meant")
	}
	return nil
}

// accountKind is what is known of an account.
type accountKind struct{ known, flat atomic.Bool }

// isFlat asks once whether the account has no hierarchical namespace.
func (b *azureContainer) isFlat(ctx context.Context) (bool, error) {
	if b.kind.known.Load() {
		return b.kind.flat.Load(), nil
	}
	answer, err := b.call(ctx, "GetAccountInfo", func(ctx context.Context, c *container.Client, _ string) error {
		_, err := c.GetAccountInfo(ctx, nil)
		return err
	})
	if err != nil {
		return false, err
	}
	told, isTold := answer.header["X-Ms-Is-Hns-Enabled"]
	if answer.header.Get("x-ms-account-kind") == "" || isTold && first(told) != "true" && first(told) != "false" {
		return false, rejected("the store does not tell the account's kind")
	}
	// Azurite, which has no hierarchical namespaces, does not say so.
	flat := !isTold || first(told) == "false"
	b.kind.flat.Store(flat)
	b.kind.known.Store(true)
	return flat, nil
}
