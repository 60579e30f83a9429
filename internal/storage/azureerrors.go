package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// azureCodes says what the codes of Azure mean, where the HTTP status does not say
// it well enough. Source: "Common REST API error codes" and "Blob Storage error
// codes" in the reference of Azure Storage.
var azureCodes = map[string]error{
	"BlobNotFound": ErrNotFound,
	"PathNotFound": ErrNotFound,

	"ContainerNotFound":      ErrNoBucket,
	"FilesystemNotFound":     ErrNoBucket,
	"ContainerBeingDeleted":  ErrNoBucket,
	"FilesystemBeingDeleted": ErrNoBucket,
	"ContainerDisabled":      ErrNoBucket,

	// What nobody may see without credentials, be it there or not.
	"ResourceNotFound":                 ErrDenied,
	"AccountIsDisabled":                ErrDenied,
	"AuthenticationFailed":             ErrDenied,
	"AuthorizationFailure":             ErrDenied,
	"InvalidAuthenticationInfo":        ErrDenied,
	"KeyBasedAuthenticationNotAllowed": ErrDenied,
	"NoAuthenticationInformation":      ErrDenied,
	"PublicAccessNotPermitted":         ErrDenied,

	"ServerBusy":        errThrottled,
	"OperationTimedOut": errThrottled,

	"AccountBeingCreated":    ErrUnavailable,
	"InternalError":          ErrUnavailable,
	"PendingCopyOperation":   ErrUnavailable,
	"IncompleteBody":         ErrUnavailable,
	"CannotVerifyCopySource": ErrRejected,

	"BlobImmutableDueToLegalHold":   ErrLocked,
	"BlobImmutableDueToPolicy":      ErrLocked,
	"ContainerImmutableDueToPolicy": ErrLocked,
}

// azureHints says what to do about a code.
var azureHints = map[string]string{
	"AccountIsDisabled":                 "the storage account is disabled",
	"AuthorizationFailure":              "check the credentials, and the account's firewall",
	"AuthorizationPermissionMismatch":   "the credentials lack the right, for instance that of the role Storage Blob Data Contributor, or a letter of the SAS token's sp",
	"AuthorizationResourceTypeMismatch": "the SAS token is not for the whole container or account",
	"BlobArchived":                      "the blob is archived and must be rehydrated before it can be read",
	"BlobBeingRehydrated":               "the blob is being rehydrated from the archive",
	"BlobImmutableDueToPolicy":          "an immutability policy or legal hold keeps the blob; it can be deleted once that has ended",
	"BlobImmutableDueToLegalHold":       "a legal hold keeps the blob; it can be deleted once that is cleared",
	"ContainerImmutableDueToPolicy":     "an immutability policy or legal hold keeps what is in the container",
	"DirectoryIsNotEmpty":               "it is a directory and not a file",
	"DirectoryNotEmpty":                 "it is a directory and not a file",
	"KeyBasedAuthenticationNotAllowed":  "the account allows no account keys, use an identity",
	"LeaseIdMissing":                    "somebody holds a lease on the blob; it can be deleted once that is broken or released",
	"ResourceNotFound":                  "without credentials that are good for the container, it seems not to be there",
	"SnapshotsPresent":                  "the blob has snapshots, which would be deleted too; delete them first",
}

const (
	hintAzure     = "the answer does not look like one of Azure, check the endpoint"
	hintAzureTime = "set the clock of this machine"
	hintRedirects = "the store redirects, check the endpoint"
)

var errNotAzure = errors.New("the answer is not one of Azure's blob service")

// azureError classifies an error of the client; nil stays nil. What the client says
// is not repeated: it shows the address, which holds the SAS token.
func azureError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // only its own error, not one that a cause carries
		return e
	}
	if token, ok := errors.AsType[*azureTokenError](err); ok {
		return token.classified(ctx)
	}
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok && refused.RawResponse != nil {
		body, _ := runtime.Payload(refused.RawResponse)
		return azureRefusal(refused.RawResponse.StatusCode, refused.RawResponse.Header, body)
	}
	if ctx.Err() != nil {
		return &Error{Reason: ErrUnavailable, Err: context.Cause(ctx)}
	}
	return &Error{Reason: ErrUnavailable, Err: azureCause(err)}
}

// azureCause is an error without its address.
func azureCause(err error) error {
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err
	}
	if text := err.Error(); text != withoutSignatures(text) {
		return errors.New(withoutSignatures(text))
	}
	return err
}

// signature finds the secret part of a SAS token, also an encoded one.
var signature = regexp.MustCompile(`(?i)(sig(?:=|%3d))[^&\s"'<>]+`)

func withoutSignatures(text string) string { return signature.ReplaceAllString(text, "${1}[redacted]") }

// azureRefusal is what an answer means that is none of success.
func azureRefusal(status int, header http.Header, body []byte) *Error {
	var said struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		// Detail says why an authentication failed; it may hold a signature.
		Detail string `xml:"AuthenticationErrorDetail"`
	}
	// The answer to a HEAD has only the header, and one of a proxy is no XML.
	_ = xml.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &said)
	e := &Error{
		Status: status, Code: header.Get("x-ms-error-code"), RequestID: header.Get("x-ms-request-id"),
		retryAfter: retryAfter(header),
	}
	if e.Code == "" {
		e.Code = said.Code
	}
	// A number and a time follow in lines of their own.
	if message, _, _ := strings.Cut(said.Message, "\n"); message != "" {
		e.Err = errors.New(withoutSignatures(strings.TrimSpace(message)))
	}
	e.Hint = azureHints[e.Code]
	switch reason, known := azureCodes[e.Code]; {
	case e.Code == "" && e.RequestID != "" && status >= 500:
		e.Reason = reasonOf("", status)
	case e.Code == "":
		e.Reason, e.Err, e.Hint = reasonOf("", status), errNotAzure, hintAzure
		switch status / 100 {
		case 2: // a success, but not that of the request
			e.Reason = ErrUnavailable
		case 3:
			e.Hint = hintRedirects
		}
	case known:
		e.Reason = reason
	case status == http.StatusNotFound:
		e.Reason = ErrRejected // it says nothing about the blob
	default:
		e.Reason = reasonOf("", status)
	}
	if errors.Is(e.Reason, ErrDenied) {
		e.why(said.Message + " " + said.Detail)
	}
	return e
}

// why tells what passes from what stays, where an authentication failed.
func (e *Error) why(detail string) {
	switch {
	case strings.Contains(detail, "Signature not valid in the specified time frame"),
		strings.Contains(detail, "Signature not valid in the specified key time frame"),
		strings.Contains(detail, "token is expired"), strings.Contains(detail, "Lifetime validation failed"):
		e.Reason = ErrExpired
	case strings.Contains(detail, "Request date header too old"):
		e.Reason, e.Hint = ErrUnavailable, hintAzureTime
	}
}

// azureCode is the outcome of a request for who counts them.
func azureCode(err error) string {
	if err == nil {
		return codeOK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.Code != "":
			return e.Code
		case e.Status != 0:
			return strconv.Itoa(e.Status)
		}
	}
	return "NoAnswer"
}
