package purge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deckhand/internal/erase"
	"deckhand/internal/ownership"
	"deckhand/internal/polaris"
	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// Verified is whom a purge asked whether the table lives on.
type Verified string

// Values of [Verified].
const (
	// VerifiedName: only what has the table's name, since nothing else is known of it.
	VerifiedName Verified = "name"
	// VerifiedNamespace and VerifiedCatalog: also all else there.
	VerifiedNamespace Verified = Verified(ownership.Namespace)
	VerifiedCatalog   Verified = Verified(ownership.Catalog)
	// VerifiedOff: nobody.
	VerifiedOff Verified = Verified(ownership.Off)
)

func (v Verified) writeText(text *receipt.Text, at jobs.Timestamp) {
	switch v {
	case "":
		text.Line("verified\tnot yet\tnobody was asked whether the table lives on")
	case VerifiedOff:
		text.Line("verified\toff\tnobody was asked whether the table lives on")
	default:
		text.Line("verified\t%s\tas of %s", v, at.Format(time.RFC3339))
	}
}

// verify asks the catalog whether what was dropped lives on: a table that was
// registered again has the UUID, or a metadata file, of the one whose files would go.
// The error is permanent when it does. Where the catalog does not tell it is not: an
// outage spends no attempt, and what a person must mend spends them.
func (r *run) verify(ctx context.Context, q ownership.Query) error {
	mode := r.catalog.Policy.Verify
	if mode == ownership.Off {
		r.receipt.Verified = VerifiedOff
		return nil
	}
	q.Kind = cmp.Or(q.Kind, ownership.Table)
	q.ID = polaris.Identifier{Namespace: r.job.Namespace, Name: r.job.Table}
	q.Mode, q.MetadataLocation, q.Alive = mode, r.job.MetadataLocation, r.progress.Alive
	answer, err := r.catalog.Owners.Owner(ctx, q)
	var unreadable *ownership.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		return fmt.Errorf("nothing was deleted, since it is not known whether the %s lives on as %s %s, of which the catalog does not tell what it is: "+
			"see whether an engine can load that one; if its metadata file is lost, register an earlier one, or drop it without purge; "+
			"to purge without asking, set purge.verify: off for this catalog: %w", q.Kind, unreadable.Kind, unreadable.ID, err)
	case errors.Is(err, polaris.ErrForbidden):
		return fmt.Errorf("nothing was deleted, since the catalog may not be asked whether the %s lives on; that takes TABLE_READ_PROPERTIES and NAMESPACE_LIST, "+
			"for views VIEW_READ_PROPERTIES, and no more: %w", q.Kind, err)
	case err != nil:
		return erase.Failure(ctx, fmt.Errorf("nothing was deleted, since the catalog did not tell whether the %s lives on: %w", q.Kind, err))
	}
	r.receipt.Verified, r.receipt.VerifiedAt = Verified(mode), jobs.At(answer.Since())
	if q.OnlyName() {
		r.receipt.Verified = VerifiedName
	}
	if owner := answer.Owner; owner != nil {
		return jobs.Permanentf("the files belong to the live %s %s of catalog %s: %s; nothing was deleted. "+
			"Remove this job, or drop that %s and requeue it", owner.Kind, owner.ID, r.catalog.Name, owner.Why, owner.Kind)
	}
	return nil
}

// verifyTable is verify for a table whose metadata file is there. Where it or the one
// that lives has no UUID, as some of format 1, whoever lives in its locations is the
// owner too: the log of one that was registered again need not go back to what this
// one had, and an earlier metadata file of it need not have the UUID that it got later.
func (r *run) verifyTable(ctx context.Context) error {
	return r.verify(ctx, ownership.Query{
		UUID: r.metadata.UUID, MetadataLog: r.metadata.MetadataLog, Locations: r.metadata.Locations(),
	})
}

// verifyFiles is verify for a table whose metadata file is gone: what the job knows
// has to do. Where that is no UUID, whoever lives in its locations is the owner, and
// where it names none of these either, whoever lives where the files are or has the
// name.
func (r *run) verifyFiles(ctx context.Context, params jobs.FilesParams) error {
	q := ownership.Query{UUID: r.job.TableUUID, Locations: r.job.Locations}
	q.NameTells = q.UUID == "" && len(q.Locations) == 0
	if q.NameTells {
		q.Locations = folders(params)
	}
	err := r.verify(ctx, q)
	switch {
	case r.receipt.Verified == VerifiedOff || r.receipt.Verified == "":
	case r.job.TableUUID != "":
		r.book.Note("the catalog was asked for the table's name and UUID")
	case len(r.job.Locations) > 0:
		r.book.Note("the job knows no UUID: the catalog was asked for the table's name, and for whoever lives in its locations")
	default:
		r.book.Note("the job knows neither UUID nor locations: the catalog was asked for the table's name, and for whoever lives where the named files are")
	}
	return err
}

// folders of the manifests and files.
func folders(params jobs.FilesParams) []string {
	var found []string
	for _, path := range slices.Concat(params.Manifests, params.Files) {
		if end := strings.LastIndexByte(path, '/'); end > 0 {
			found = append(found, path[:end])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
