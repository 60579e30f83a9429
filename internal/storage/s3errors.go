package storage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// s3Codes says what the codes of S3 and of compatible stores mean, where the
// HTTP status does not say it well enough. Source: "Error responses" in the
// Amazon S3 API reference, and the retryable and throttling codes of the AWS SDK
// for Go, aws/retry/standard.go.
var s3Codes = map[string]error{
	"NoSuchKey":     ErrNotFound,
	"NoSuchVersion": ErrNotFound,
	"NoSuchBucket":  ErrNoBucket,

	"AccessDenied":          ErrDenied,
	"AllAccessDisabled":     ErrDenied,
	"AccountProblem":        ErrDenied,
	"InvalidAccessKeyId":    ErrDenied,
	"InvalidSecurity":       ErrDenied,
	"InvalidToken":          ErrDenied,
	"NotSignedUp":           ErrDenied,
	"SignatureDoesNotMatch": ErrDenied,
	"UnauthorizedAccess":    ErrDenied,

	"ExpiredToken":          ErrExpired,
	"ExpiredTokenException": ErrExpired,
	"RequestExpired":        ErrExpired,
	"TokenRefreshRequired":  ErrExpired,

	"SlowDown":                               errThrottled,
	"SlowDownRead":                           errThrottled,
	"SlowDownWrite":                          errThrottled,
	"BandwidthLimitExceeded":                 errThrottled,
	"Busy":                                   errThrottled,
	"LimitExceededException":                 errThrottled,
	"PriorRequestNotComplete":                errThrottled,
	"ProvisionedThroughputExceededException": errThrottled,
	"RequestLimitExceeded":                   errThrottled,
	"RequestThrottled":                       errThrottled,
	"RequestThrottledException":              errThrottled,
	"ServiceUnavailable":                     errThrottled,
	"ThrottledException":                     errThrottled,
	"Throttling":                             errThrottled,
	"ThrottlingException":                    errThrottled,
	"TooManyRequests":                        errThrottled,
	"TooManyRequestsException":               errThrottled,
	"TransactionInProgressException":         errThrottled,

	"ConditionalRequestConflict": ErrUnavailable,
	"IncompleteBody":             ErrUnavailable,
	"InternalError":              ErrUnavailable,
	"OperationAborted":           ErrUnavailable,
	"RequestTimeTooSkewed":       ErrUnavailable,
	"RequestTimeout":             ErrUnavailable,
	"RequestTimeoutException":    ErrUnavailable,

	"InvalidObjectState": ErrRejected,
	"NotImplemented":     ErrRejected,
}

// s3Hints says what to do about a code.
var s3Hints = map[string]string{
	"AuthorizationHeaderMalformed": "check the region in the catalog's configuration",
	"InvalidObjectState":           "the object is archived and must be restored before it can be read",
	"PermanentRedirect":            "the bucket is in another region, set it in the catalog's configuration",
	"RequestTimeTooSkewed":         "set the clock of this machine",
}

const hintEndpoint = "the answer does not look like one of S3, check the endpoint"

const hintRedirect = "the store redirects, check endpoint, region and path style"

const hintMayBeMissing = "without the right to list the bucket (s3:ListBucket), S3 answers 403 for an object that does not exist too"

// reasonOf classifies an answer. Codes go before the status.
func reasonOf(code string, status int) error {
	if reason, ok := s3Codes[code]; ok {
		return reason
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return errThrottled
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrDenied
	case status == http.StatusRequestTimeout:
		return ErrUnavailable
	case status == http.StatusNotImplemented:
		return ErrRejected
	case status == http.StatusFound, status == http.StatusSeeOther, status == http.StatusTemporaryRedirect:
		return ErrUnavailable
	case status == http.StatusNotFound:
		// Without S3's code: it may come from anything that speaks HTTP, for
		// instance a proxy whose server is away. "Not found" would be taken for
		// "deleted", and it says nothing about the object for good.
		return ErrUnavailable
	case status >= 500:
		return ErrUnavailable
	}
	return ErrRejected
}

// s3Error classifies an error of the client; nil stays nil.
func s3Error(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if role, ok := errors.AsType[*roleError](err); ok {
		e := *role.cause
		return &e
	}
	e := &Error{}
	operation, _ := errors.AsType[*smithy.OperationError](err)
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	if answered {
		e.Status = response.HTTPStatusCode()
		e.retryAfter = retryAfter(response.Response.Header)
		e.RequestID = response.Response.Header.Get("x-amz-request-id")
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && e.Status != 0 {
		e.Code = api.ErrorCode()
		e.Reason = reasonOf(e.Code, e.Status)
		// What follows the first line may be the request as the store read it, with
		// the token in it.
		if message, _, _ := strings.Cut(strings.TrimSpace(api.ErrorMessage()), "\n"); message != "" {
			e.Err = errors.New(message)
		}
		e.Hint = s3Hints[e.Code]
		e.lockedBy(api.ErrorMessage())
		if errors.Is(e.Reason, ErrDenied) && e.Status == http.StatusForbidden && operation != nil && operation.Operation() == "GetObject" {
			e.Hint = hintMayBeMissing
		}
		switch {
		case errors.Is(e, ErrUnavailable) && e.Status == http.StatusNotFound:
			e.Hint = hintEndpoint
		case e.Status/100 == 3 && e.Hint == "":
			e.Hint = hintRedirect
		}
		return e
	}
	switch {
	case ctx.Err() != nil:
		e.Reason, e.Err = ErrUnavailable, context.Cause(ctx)
	case answered && e.Status >= 400:
		e.Reason, e.Err, e.Hint = reasonOf("", e.Status), errNotS3, hintEndpoint
	case answered && e.Status >= 300:
		e.Reason, e.Hint = reasonOf("", e.Status), hintRedirect
	default:
		// No answer, a broken one, or none that S3 gives.
		e.Reason, e.Err = ErrUnavailable, innermost(err)
	}
	return e
}

// innermost leaves away what the client's layers say about themselves.
func innermost(err error) error {
	if address, ok := errors.AsType[*url.Error](err); ok {
		return address.Err
	}
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		return operation.Err
	}
	return err
}

// keyError classifies the error of one key in the answer to a DeleteObjects.
func keyError(code, message string) error {
	reason := reasonOf(code, 0)
	if errors.Is(reason, ErrNotFound) {
		return nil
	}
	e := &Error{Code: code, Reason: reason, Hint: s3Hints[code]}
	e.lockedBy(message)
	if message != "" {
		e.Err = errors.New(message)
	}
	return e
}

// retryAfter reads the header of that name, which holds seconds or a date.
func retryAfter(header http.Header) time.Duration {
	const longest = 5 * time.Minute
	text := header.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), longest)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), longest)
	}
	return 0
}
