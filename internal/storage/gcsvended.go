package storage

import "errors"

// VendedGCS is a [Vended] that has credentials for gs:// locations too.
type VendedGCS interface {
	// GCS is how a location is reached. The name is the same for locations with the
	// same credentials. The error says that none are for the location.
	GCS(l Location) (name string, cfg GCSConfig, err error)
}

// gcsFor is how a location is reached.
func (s *Stores) gcsFor(l Location) (storeName, GCSConfig, error) {
	name := storeName{bucket: l.Bucket}
	vends, ok := s.cfg.Vended.(VendedGCS)
	if !ok {
		return name, s.cfg.GCS, nil
	}
	vended, cfg, err := vends.GCS(l)
	if err != nil {
		return name, GCSConfig{}, &Error{Reason: ErrDenied, Err: err}
	}
	if err := cfg.Validate(); err != nil {
		return name, GCSConfig{}, &Error{Reason: ErrRejected, Err: errors.Join(errors.New("the catalog vends settings that cannot be used"), err)}
	}
	name.vended = vended
	return name, cfg, nil
}
