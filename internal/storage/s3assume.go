package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

const (
	// assumeFor is how long the keys of a role are asked for: the longest that a
	// role's own settings and those of a role that assumes another allow by default.
	assumeFor = time.Hour
	// assumeTimeout bounds one request to the token service.
	assumeTimeout = 20 * time.Second
	// untoldLife is how long keys last whose end the service does not tell; no
	// service takes less than 15 minutes.
	untoldLife = 10 * time.Minute
)

// stsHints says what to do about a code of the token service.
var stsHints = map[string]string{
	"AccessDenied":              hintAssume,
	"AccessDeniedException":     hintAssume,
	"InvalidClientTokenId":      hintSTSKeys,
	"InvalidAccessKeyId":        hintSTSKeys,
	"SignatureDoesNotMatch":     hintSTSKeys,
	"RegionDisabledException":   "activate the token service in that region, or set s3.sts_region",
	"PackedPolicyTooLarge":      "the role's session policy does not fit: name fewer or shorter locations for the catalog",
	"ValidationError":           "check s3.role_arn, s3.external_id and s3.session_name",
	"MalformedPolicyDocument":   "the service does not take the session policy that narrows the role",
	"InvalidParameterValue":     "check s3.role_arn, s3.external_id and s3.session_name",
	"InvalidAuthenticationCode": hintSTSKeys,
}

const (
	hintAssume = "the worker's own keys must be right and be allowed to assume the role (sts:AssumeRole), and the role's trust policy must name it; " +
		"check s3.role_arn and s3.external_id"
	hintSTSKeys = "the token service refuses the worker's own keys, check those of the catalog's s3 section or of the environment"
)

// tokenService assumes one role.
type tokenService struct {
	role      S3Role
	client    *sts.Client
	transport *http.Transport
}

// newTokenService makes a client; it makes no request, but the environment's
// configuration is read where it is needed.
func newTokenService(ctx context.Context, cfg S3Config) (*tokenService, error) {
	base, err := awsConfig(ctx, cfg)
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: err}
	}
	role := cfg.Role.WithDefaults()
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     90 * time.Second,
	}
	client := sts.NewFromConfig(base, func(o *sts.Options) {
		o.Region = cmp.Or(role.STSRegion, base.Region)
		if endpoint := cmp.Or(role.STSEndpoint, cfg.Endpoint); endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		o.Retryer = aws.NopRetryer{} // the session repeats
		o.HTTPClient = plainClient(transport)
		o.Logger = logging.Nop{}
		o.APIOptions = append(o.APIOptions, addMeter)
	})
	return &tokenService{role: role, client: client, transport: transport}, nil
}

// assume asks for keys that may do what the policy says. The error is an [*Error]
// about the role.
func (s *tokenService) assume(ctx context.Context, policy string) (S3Credentials, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, assumeTimeout, errTimeout)
	defer cancel()
	in := &sts.AssumeRoleInput{
		RoleArn: &s.role.ARN, RoleSessionName: &s.role.SessionName, Policy: &policy,
		DurationSeconds: aws.Int32(int32(assumeFor / time.Second)),
	}
	if s.role.ExternalID != "" {
		in.ExternalId = &s.role.ExternalID
	}
	out, err := s.client.AssumeRole(ctx, in)
	if err != nil {
		return S3Credentials{}, s.failure(ctx, err)
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" {
		return S3Credentials{}, s.wrap(&Error{Reason: ErrUnavailable, Err: errors.New("the answer of the token service holds no keys"), Hint: "check s3.sts_endpoint"})
	}
	keys := S3Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: aws.ToString(c.SessionToken), Expires: aws.ToTime(c.Expiration)}
	if keys.Expires.IsZero() {
		keys.Expires = time.Now().Add(untoldLife)
	} else if ahead, ok := awsmiddleware.GetAttemptSkew(out.ResultMetadata); ok {
		keys.Expires = keys.Expires.Add(-ahead) // of this machine's clock, which may be far off
	}
	return keys, nil
}

// failure classifies an error of the client. It keeps no more of it than what the
// service says, so that nobody takes it for the store's answer.
func (s *tokenService) failure(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](s3Error(ctx, err))
	if !ok {
		return err
	}
	told := *e
	told.Hint = stsHints[e.Code]
	if errors.Is(e, errThrottled) {
		told.Reason = ErrUnavailable // it is not the bucket that is to be slowed down
	}
	if told.Hint == "" && e.Code == "" && e.Status != 0 {
		told.Hint = "the answer does not look like one of a token service, check s3.sts_endpoint"
	}
	return s.wrap(&told)
}

// wrap says what was tried.
func (s *tokenService) wrap(e *Error) error {
	what := fmt.Sprintf("assume role %s", s.role.ARN)
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	e.Err = errors.New(what)
	return &roleError{cause: e}
}

func (s *tokenService) close() { s.transport.CloseIdleConnections() }

// roleError marks an error of the token service, which the client of the store
// carries to its caller. It is the error of the request that needed the keys.
type roleError struct{ cause *Error }

func (e *roleError) Error() string { return e.cause.Error() }

func (e *roleError) Unwrap() error { return e.cause }

// isRefusal says whether asking again soon would be of no use.
func isRefusal(err error) bool { return errors.Is(err, ErrDenied) || errors.Is(err, ErrRejected) }
