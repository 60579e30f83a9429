package purge

import (
	"cmp"
	"context"
	"errors"

	"deckhand/internal/receipt"
	"deckhand/internal/storage"
	"deckhand/jobs"
)

// storeOf is what the job says of the catalog's store, which counts only where the
// catalog's configuration lets it.
func storeOf(job *jobs.Job) storage.S3Job {
	s := job.Storage
	if s == nil || s.Type != "" && s.Type != "S3" {
		return storage.S3Job{}
	}
	return storage.S3Job{
		Endpoint: cmp.Or(s.EndpointInternal, s.Endpoint), Region: s.Region, PathStyle: s.PathStyleAccess,
		RoleARN: s.RoleARN, ExternalID: s.ExternalID, STSEndpoint: s.STSEndpoint, STSUnavailable: s.STSUnavailable,
	}
}

func (r *run) removesVersions() bool { return r.catalog.Policy.Versions == VersionsDelete }

// tellOfStorage notes what a person should know of the stores, after a run that ended
// with err. A store that is away is not asked anything more.
func (r *run) tellOfStorage(ctx context.Context, err error) {
	if r.eraser != nil && !errors.Is(err, storage.ErrUnavailable) {
		r.receipt.Versions = receipt.VersionsOf(ctx, r.eraser, r.scope.Locations(), r.receipt.Deleted.Total(), r.removesVersions())
	}
	for _, session := range r.sessions {
		for _, note := range session.Widened() {
			r.book.Note("%s", note)
		}
	}
}
