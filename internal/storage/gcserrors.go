package storage

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
)

// gcsAnswerLimit is how much of an answer without an object's bytes is read.
const gcsAnswerLimit = 8 << 20

// gcsReasons says what the reasons of Google's JSON API mean, where the HTTP status
// does not say it well enough. Source: "HTTP status and error codes for JSON" in
// the reference of Cloud Storage.
var gcsReasons = map[string]error{
	"rateLimitExceeded":      errThrottled,
	"userRateLimitExceeded":  errThrottled,
	"quotaExceeded":          errThrottled,
	"backendError":           ErrUnavailable,
	"internalError":          ErrUnavailable,
	"uploadBrokenConnection": ErrUnavailable,

	"retentionPolicyNotMet": ErrLocked,
	"RetentionPolicyNotMet": ErrLocked,
	"objectUnderActiveHold": ErrLocked,
	"ObjectUnderActiveHold": ErrLocked,
}

// noSuchObject begins the message of the JSON API about an object that is not there.
const noSuchObject = "No such object"

// gcsFailure is the document that tells an error.
type gcsFailure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Errors  []struct {
		Reason string `json:"reason"`
	} `json:"errors"`
}

// gcsAnswerError classifies an answer whose status is not one of success. Codes are
// Google's reasons, or the codes of its XML API.
func gcsAnswerError(response *http.Response, body []byte) *Error {
	e := gcsStatusError(response.StatusCode, response.Header, body)
	e.RequestID = response.Header.Get("X-GUploader-UploadID")
	e.retryAfter = retryAfter(response.Header)
	return e
}

func gcsStatusError(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status}
	message, told := "", false
	var document struct {
		Error *gcsFailure `json:"error"`
	}
	var x struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	switch {
	case json.Unmarshal(body, &document) == nil && document.Error != nil:
		told, message, e.Code = true, document.Error.Message, document.Error.Status
		if len(document.Error.Errors) > 0 && document.Error.Errors[0].Reason != "" {
			e.Code = document.Error.Errors[0].Reason
		}
	case xml.Unmarshal(body, &x) == nil && x.Code != "":
		told, message, e.Code = true, x.Message, x.Code
	case header.Get("X-GUploader-UploadID") != "" && strings.HasPrefix(string(body), noSuchObject):
		// The JSON API tells errors of media in plain text.
		told, message = true, noSuchObject
	}
	e.Reason = gcsReasonOf(e.Code, message, status, told)
	switch {
	case told && message != "":
		e.Err = errors.New(message)
	case !told:
		e.Err = errNotGCS
	}
	if !told && status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		e.Hint = hintNotGCS
	}
	if status/100 == 3 {
		e.Hint = "the store redirects, check the endpoint"
	}
	e.hintLocked()
	return e
}

// hintLocked says what to do about a locked object.
func (e *Error) hintLocked() {
	if errors.Is(e.Reason, ErrLocked) {
		e.Hint = hintLocked
	}
}

// gcsKeyError classifies the error of one key in the answer to a delete of the XML API.
func gcsKeyError(code, message string) error {
	e := &Error{Code: code, Reason: gcsReasonOf(code, message, 0, true)}
	if errors.Is(e.Reason, ErrNotFound) {
		return nil
	}
	if message != "" {
		e.Err = errors.New(message)
	}
	e.hintLocked()
	return e
}

var errNotGCS = errors.New("the answer is not one of Google Cloud Storage")

const hintNotGCS = "the answer does not look like one of Google Cloud Storage, check the endpoint"

// gcsReasonOf classifies an answer; told says that it is Google's.
func gcsReasonOf(code, message string, status int, told bool) error {
	if reason, ok := gcsReasons[code]; ok {
		return reason
	}
	switch {
	case status == http.StatusNotFound && !told:
		// As for S3: a proxy's 404 says nothing about the object.
		return ErrUnavailable
	case status == http.StatusNotFound && (code == "NoSuchBucket" || strings.Contains(message, "bucket does not exist")):
		return ErrNoBucket
	case status == http.StatusNotFound:
		return ErrNotFound
	case status == http.StatusConflict, status == http.StatusFound, status == http.StatusSeeOther, status == http.StatusTemporaryRedirect:
		return ErrUnavailable
	}
	return reasonOf(code, status)
}
