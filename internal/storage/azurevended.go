package storage

import (
	"context"
	"errors"
)

// VendedAzure is a [Vended] that knows locations of Azure too. What catalogs of
// others vend for them is not known: they are reached with [Config].Azure.
type VendedAzure interface {
	// Azure is how a location is reached, as S3 of [Vended] is.
	Azure(l Location) (name string, cfg AzureConfig, err error)
}

// azureOpening is how containers of Azure are reached.
var azureOpening = opening{
	name: func(s *Stores, l Location) (storeName, error) {
		name, _, err := s.azureFor(l)
		return name, err
	},
	open: func(_ context.Context, s *Session, l Location, _ *Guard) (target, error) {
		name, cfg, err := s.stores.azureFor(l)
		if err != nil {
			return target{}, err
		}
		b, err := s.stores.client(storeID{azureScheme, name}, func(all Config) (client, error) {
			all.Azure = cfg
			return openAzure(all, l.Bucket)
		})
		return s.bucketTarget(b, l, cfg.Endpoint), err
	},
}

// azureFor is how a location is reached.
func (s *Stores) azureFor(l Location) (storeName, AzureConfig, error) {
	name := storeName{bucket: l.Bucket}
	from, ok := s.cfg.Vended.(VendedAzure)
	if !ok {
		return name, s.cfg.Azure, nil
	}
	vended, cfg, err := from.Azure(l)
	if err != nil {
		return name, AzureConfig{}, &Error{Reason: ErrDenied, Err: err}
	}
	if err := cfg.Validate(); err != nil {
		return name, AzureConfig{}, &Error{Reason: ErrRejected, Err: errors.Join(errors.New("the catalog vends settings that cannot be used"), err)}
	}
	name.vended = vended
	return name, cfg, nil
}
