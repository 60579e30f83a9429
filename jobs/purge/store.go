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
func storeOf(job *jobs.Job) storage.JobStore {
	s := job.Storage
	switch {
	case s == nil:
		return storage.JobStore{}
	case s.Type == "GCS":
		return storage.JobStore{ServiceAccount: s.GCPServiceAccount}
	case s.Type != "" && s.Type != "S3":
		return storage.JobStore{}
	}
	return storage.JobStore{
		Endpoint: cmp.Or(s.EndpointInternal, s.Endpoint), Region: s.Region, PathStyle: s.PathStyleAccess,
		RoleARN: s.RoleARN, ExternalID: s.ExternalID, STSEndpoint: s.STSEndpoint, STSUnavailable: s.STSUnavailable,
	}
}

func (r *run) removesVersions() bool { return r.catalog.Policy.Versions == VersionsDelete }

// tellOfStorage notes what a person should know of the stores, after a run that ended
// with err. A store that is away is not asked anything more.
func (r *run) tellOfStorage(ctx context.Context, err error) {
	switch {
	case r.eraser == nil || errors.Is(err, storage.ErrUnavailable):
	case r.isPart:
		// Its finish asks for all of them.
		if usage := r.eraser.Usage(); usage.Versions > 0 || usage.Markers > 0 {
			r.receipt.Versions = &receipt.Versions{
				Removed: &receipt.Count{Files: usage.Versions, Bytes: usage.VersionBytes}, Markers: usage.Markers,
			}
		}
	case !r.askedVersions:
		r.askVersions(ctx)
	}
	for _, session := range r.sessions {
		for _, note := range session.Widened() {
			r.book.Note("%s", note)
		}
	}
}

// askVersions asks the buckets what they keep of what was deleted until now.
func (r *run) askVersions(ctx context.Context) {
	r.askedVersions = true
	if r.eraser != nil {
		r.receipt.Versions = receipt.VersionsOf(ctx, r.eraser, r.scope.Locations(), r.receipt.Deleted.Total(), r.removesVersions())
	}
}
