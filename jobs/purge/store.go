package purge

import (
	"cmp"

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
