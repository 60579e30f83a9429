package maintenance

import (
	"context"
	"errors"
	"fmt"

	"deckhand/internal/erase"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/internal/table"
	"deckhand/jobs"
)

// ErrGone says that there is no such table any more. A job has nothing to do then,
// and ends well.
var ErrGone = errors.New("the table is gone: it was dropped or renamed")

// UnlessGone is err, but nil for [ErrGone]: gone is set then, and the book says why.
func UnlessGone(err error, gone *bool, book *receipt.Book) error {
	if !errors.Is(err, ErrGone) {
		return err
	}
	*gone = true
	book.Note("%v", err)
	return nil
}

// CatalogFailure gives an error of the catalog the meaning that it has for a job:
// [ErrGone] where there is no such table, permanent where trying again cannot help,
// and else what [erase.Failure] makes of it, so that an outage spends no attempt.
// [polaris.ErrDamaged] stays an ordinary one, which spends attempts.
func CatalogFailure(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, polaris.ErrNotFound), errors.Is(err, polaris.ErrNoNamespace):
		return ErrGone
	case errors.Is(err, polaris.ErrNotATable), errors.Is(err, polaris.ErrNoCatalog), errors.Is(err, polaris.ErrForbidden),
		errors.Is(err, polaris.ErrRejected), isUnreadable(err):
		return jobs.Permanent(err)
	}
	return erase.Failure(ctx, err)
}

// StorageFailure is that of reading something that the job cannot do without:
// permanent when the file is damaged, absent, encrypted, too new or denied, and else
// what [erase.Failure] makes of it. nil stays nil.
func StorageFailure(ctx context.Context, err error) error {
	_, temporary := table.StateOf(err)
	if !temporary || isUnreadable(err) {
		return jobs.Permanent(err)
	}
	return erase.Failure(ctx, err)
}

// isUnreadable says that metadata was read and cannot be understood.
func isUnreadable(err error) bool {
	return errors.Is(err, table.ErrCorrupt) || errors.Is(err, table.ErrEncrypted) || errors.Is(err, table.ErrNewerFormat)
}

// WriteFailure is that of writing a file below the table's locations. It is
// permanent, and says what to do, when that may not be; so says what is so then, as
// "nothing was committed". Else it is what [erase.Failure] makes of it.
func WriteFailure(ctx context.Context, err error, so string) error {
	switch {
	case erase.IsOutside(err):
		return jobs.Permanent(fmt.Errorf("%w: %s; add the table's location to the locations of the catalog's storage section and requeue", err, so))
	case errors.Is(err, storage.ErrDenied):
		return jobs.Permanent(fmt.Errorf("%w: %s; the keys must allow to write and delete below the table's locations: "+
			"where Polaris vends them, grant TABLE_WRITE_DATA; else check the catalog's storage section", err, so))
	}
	return erase.Failure(ctx, err)
}
