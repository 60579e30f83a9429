package storage

import (
	"cmp"
	"errors"
	"fmt"
)

// jobsStores is how many different settings jobs may bring for one catalog.
const jobsStores = 64

// S3Job is what a job says of the catalog's store. Empty fields say nothing.
type S3Job struct {
	Endpoint, Region    string
	PathStyle           bool
	RoleARN, ExternalID string
	STSEndpoint         string
	// STSUnavailable: there is no token service, so that no role can be assumed.
	STSUnavailable bool
}

// ForJob gives the stores as the job says they are reached, where the configuration
// allows it ([S3Config].FromJob) and does not say otherwise: endpoint and path
// style, region, and the role with its external id and token service. Else it gives
// s itself. What it gives is closed with s. The error is an [*Error] of the reason
// ErrRejected.
func (s *Stores) ForJob(job S3Job) (*Stores, error) {
	cfg := s.cfg
	if !cfg.S3.FromJob || cfg.Vended != nil {
		return s, nil
	}
	cfg.S3 = cfg.S3.filledBy(job)
	if cfg.S3.same(s.cfg.S3) {
		return s, nil
	}
	if err := cfg.S3.Validate(); err != nil {
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
		s.ofJobs = map[S3Job]*Stores{}
	}
	s.ofJobs[job] = derived
	return derived, nil
}

func (c S3Config) filledBy(job S3Job) S3Config {
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

// same compares what a job can fill in.
func (c S3Config) same(other S3Config) bool {
	return c.Endpoint == other.Endpoint && c.PathStyle == other.PathStyle && c.Region == other.Region && c.Role == other.Role
}
