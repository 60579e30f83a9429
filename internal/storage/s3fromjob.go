package storage

import (
	"cmp"
	"errors"
	"fmt"
)

// jobsStores is how many different settings jobs may bring for one catalog.
const jobsStores = 64

// JobStore is what a job says of the catalog's store. Empty fields say nothing.
type JobStore struct {
	Endpoint, Region    string
	PathStyle           bool
	RoleARN, ExternalID string
	STSEndpoint         string
	// STSUnavailable: there is no token service, so that no role can be assumed.
	STSUnavailable bool
	// ServiceAccount is that as which gs:// locations are reached.
	ServiceAccount string
}

// ForJob gives the stores as the job says they are reached, where the configuration
// allows it ([S3Config].FromJob, [GCSConfig].FromJob) and does not say otherwise:
// endpoint and path style, region, and the role with its external id and token
// service; the service account to impersonate. Else it gives s itself. What it gives is closed with s. The error is an [*Error] of the reason
// ErrRejected.
func (s *Stores) ForJob(job JobStore) (*Stores, error) {
	cfg := s.cfg
	if cfg.Vended != nil {
		return s, nil
	}
	cfg.S3, cfg.GCS = cfg.S3.filledBy(job), cfg.GCS.filledBy(job)
	if cfg.S3.same(s.cfg.S3) && cfg.GCS.Impersonate == s.cfg.GCS.Impersonate {
		return s, nil
	}
	if err := errors.Join(cfg.S3.Validate(), cfg.GCS.Validate()); err != nil {
		return nil, &Error{Reason: ErrRejected, Err: fmt.Errorf("the job's storage cannot be used: %w", err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch found := s.ofJobs[job]; {
	case found != nil:
		return found, nil
	case s.closed:
		return nil, &Error{Reason: ErrUnavailable, Err: errors.New("the stores were closed")}
	case len(s.ofJobs) == jobsStores:
		return nil, rejected(fmt.Sprintf("jobs bring more than %d different storage settings for this catalog; set them in its configuration", jobsStores))
	}
	derived, err := NewStores(cfg, s.limiters)
	if err != nil {
		return nil, err
	}
	if s.ofJobs == nil {
		s.ofJobs = map[JobStore]*Stores{}
	}
	s.ofJobs[job] = derived
	return derived, nil
}

func (c S3Config) filledBy(job JobStore) S3Config {
	if !c.FromJob {
		return c
	}
	if c.Endpoint == "" && job.Endpoint != "" {
		c.Endpoint, c.PathStyle = job.Endpoint, c.PathStyle || job.PathStyle
	}
	c.Region = cmp.Or(c.Region, job.Region)
	if c.Role.ARN == "" && !job.STSUnavailable {
		c.Role.ARN = job.RoleARN
		c.Role.ExternalID = cmp.Or(c.Role.ExternalID, job.ExternalID)
	}
	c.Role.STSEndpoint = cmp.Or(c.Role.STSEndpoint, job.STSEndpoint)
	return c
}

func (c GCSConfig) filledBy(job JobStore) GCSConfig {
	if c.FromJob {
		c.Impersonate = cmp.Or(c.Impersonate, job.ServiceAccount)
	}
	return c
}

// same compares what a job can fill in.
func (c S3Config) same(other S3Config) bool {
	return c.Endpoint == other.Endpoint && c.PathStyle == other.PathStyle && c.Region == other.Region && c.Role == other.Role
}
