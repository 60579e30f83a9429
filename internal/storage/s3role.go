package storage

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// DefaultSessionName is the default of [S3Role].SessionName.
const DefaultSessionName = "deckhand"

// S3Role is a role that is assumed at a security token service for each session,
// with a policy that leaves of the role's rights what the session's guards allow:
// see [SessionConfig].
type S3Role struct {
	// ARN of the role; empty: none is assumed.
	ARN string
	// ExternalID is what the role's trust policy may ask for.
	ExternalID string
	// SessionName is what the store's log calls the sessions: 2 to 64 letters,
	// digits and any of _=,.@+-. Default deckhand.
	SessionName string
	// STSEndpoint is the address of the service. Default: the endpoint of the store,
	// and where it has none that of AWS for the region.
	STSEndpoint string
	// STSRegion is the region that requests to the service are signed for. Default:
	// that of the store.
	STSRegion string
}

// WithDefaults fills in the documented defaults that depend on nothing else.
func (r S3Role) WithDefaults() S3Role {
	if r.ARN != "" {
		r.SessionName = cmp.Or(r.SessionName, DefaultSessionName)
	}
	return r
}

// sessionNames and externalIDs are the patterns of the parameters RoleSessionName
// and ExternalId of AssumeRole in the API reference of AWS STS.
var (
	sessionNames = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDs  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

// Validate reports every mistake at once.
func (r S3Role) Validate() error {
	var errs []error
	if r.ARN == "" {
		for _, set := range []struct{ name, value string }{
			{"external_id", r.ExternalID}, {"session_name", r.SessionName}, {"sts_endpoint", r.STSEndpoint}, {"sts_region", r.STSRegion},
		} {
			if set.value != "" {
				errs = append(errs, fmt.Errorf("%s: it is for a role, and there is no role_arn", set.name))
			}
		}
		return errors.Join(errs...)
	}
	if parts := strings.SplitN(r.ARN, ":", 6); len(parts) < 6 || parts[0] != "arn" || len(r.ARN) < 20 || strings.ContainsAny(r.ARN, " \t\r\n") {
		errs = append(errs, fmt.Errorf("role_arn: %q is none, write arn:aws:iam::123456789012:role/NAME", r.ARN))
	}
	if r.ExternalID != "" && (len(r.ExternalID) > 1224 || !externalIDs.MatchString(r.ExternalID)) {
		errs = append(errs, errors.New("external_id: it has 2 to 1,224 letters, digits and any of _=,.@:/+-"))
	}
	if r.SessionName != "" && !sessionNames.MatchString(r.SessionName) {
		errs = append(errs, fmt.Errorf("session_name: %q is none, it has 2 to 64 letters, digits and any of _=,.@+-", r.SessionName))
	}
	if err := checkEndpoint("sts_endpoint", r.STSEndpoint); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// partition of AWS that the role belongs to, which the names of its resources
// begin with.
func (r S3Role) partition() string {
	parts := strings.SplitN(r.ARN, ":", 3)
	if len(parts) == 3 && strings.HasPrefix(parts[1], "aws") {
		return parts[1]
	}
	return "aws"
}
