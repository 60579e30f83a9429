package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const defaultRegion = "us-east-1"

// newS3Client makes a client that does not repeat requests: that is the
// session's, which knows the bucket's limiter.
func newS3Client(ctx context.Context, cfg S3Config, bucket string, transport http.RoundTripper) (*s3.Client, error) {
	base, err := awsConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Role.ARN != "" {
		base.Credentials = assuming(bucket)
	}
	return s3.NewFromConfig(base, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
		o.UsePathStyle = cfg.PathStyle
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = plainClient(transport)
		o.Logger = logging.Nop{}
		// Many S3-compatible stores do not know the newer checksums.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.APIOptions = append(o.APIOptions, addMeter, addAnswerCheck)
	}), nil
}

// awsConfig has the region and the credentials of the configuration, or else of the
// environment.
func awsConfig(ctx context.Context, cfg S3Config) (aws.Config, error) {
	var base aws.Config
	static := cfg.AccessKeyID != ""
	if !static && cfg.Renew == nil || cfg.Region == "" {
		var err error
		if base, err = config.LoadDefaultConfig(ctx); err != nil {
			return base, fmt.Errorf("read the AWS configuration: %w", err)
		}
	}
	if cfg.Region != "" {
		base.Region = cfg.Region
	}
	if base.Region == "" {
		base.Region = defaultRegion
	}
	switch {
	case cfg.Renew != nil:
		base.Credentials = renewing(cfg.Renew)
	case static:
		base.Credentials = credentials.NewStaticCredentialsProvider(cfg.AccessKeyID, cfg.SecretAccessKey, cfg.SessionToken)
	}
	return base, nil
}

func plainClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		// A redirect would carry the signature of another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// addMeter counts each request for the session that makes it, by the name of
// its operation.
func addMeter(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("DeckhandMeter",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			meterOf(ctx).request(awsmiddleware.GetOperationName(ctx), requestCode(err))
			return out, metadata, err
		}), middleware.After)
}

func requestCode(err error) string {
	if err == nil {
		return codeOK
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() != "" {
		return api.ErrorCode()
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return strconv.Itoa(response.HTTPStatusCode())
	}
	return "NoAnswer"
}

// answers names the root element of the answers in which nothing said means
// something: an empty DeleteResult is "all deleted", an empty ListBucketResult
// is "nothing there", an empty VersioningConfiguration is "no versions", an empty
// answer to a copy is "copied".
var answers = map[string]string{
	"DeleteObjects":           "DeleteResult",
	"ListObjectsV2":           "ListBucketResult",
	"ListObjectVersions":      "ListVersionsResult",
	"GetBucketVersioning":     "VersioningConfiguration",
	"CopyObject":              "CopyObjectResult",
	"CreateMultipartUpload":   "InitiateMultipartUploadResult",
	"UploadPartCopy":          "CopyPartResult",
	"CompleteMultipartUpload": "CompleteMultipartUploadResult",
}

// lateErrors are the operations in whose answers the client itself looks for an
// error after the status 200, and gives it with its code.
var lateErrors = map[string]bool{"CopyObject": true, "UploadPartCopy": true, "CompleteMultipartUpload": true}

var errNotS3 = errors.New("the answer is not one of S3")

// addAnswerCheck refuses answers with status 200 that are not S3's, for instance
// the page of a proxy, or an error document sent after the status.
func addAnswerCheck(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("DeckhandAnswer",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			operation := awsmiddleware.GetOperationName(ctx)
			root := answers[operation]
			response, ok := out.RawResponse.(*smithyhttp.Response)
			if err != nil || !ok || response.StatusCode/100 != 2 {
				return out, metadata, err
			}
			if operation != "GetObject" && strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
				return out, metadata, fmt.Errorf("%w but a page of HTML", errNotS3)
			}
			if root == "" {
				return out, metadata, nil
			}
			body := bufio.NewReader(response.Body)
			response.Body = readCloser{Reader: body, Closer: response.Body}
			switch found, err := rootElement(body); {
			case err == nil && found == "Error" && lateErrors[operation]:
			case err != nil || found != root:
				return out, metadata, fmt.Errorf("%w: %q in place of %q", errNotS3, found, root)
			}
			return out, metadata, nil
		}), middleware.After)
}

type readCloser struct {
	io.Reader
	io.Closer
}

// rootElement looks ahead for the first element's name. Blanks before the
// document, which S3 sends to keep a slow answer alive, are skipped.
func rootElement(r *bufio.Reader) (string, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
	}
	if err := r.UnreadByte(); err != nil {
		return "", err
	}
	head, _ := r.Peek(512)
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for {
		start := bytes.IndexByte(head, '<')
		if start < 0 || start+1 >= len(head) {
			return "", errNotS3
		}
		head = head[start+1:]
		if head[0] != '?' && head[0] != '!' {
			break
		}
	}
	end := bytes.IndexAny(head, " \t\r\n/>")
	if end < 0 {
		return "", errNotS3
	}
	name := string(head[:end])
	return name[strings.IndexByte(name, ':')+1:], nil
}

// byteRange is the Range header for length bytes at offset, nil for all of them.
func byteRange(offset, length int64) *string {
	switch {
	case length >= 0:
		return aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1))
	case offset > 0:
		return aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	return nil
}

// contentRange reads the header "bytes first-last/size"; the size is -1 where
// the store does not tell it. Source: RFC 9110, section 14.4.
func contentRange(header string) (first, size int64, ok bool) {
	rest, ok := strings.CutPrefix(header, "bytes ")
	span, total, found := strings.Cut(rest, "/")
	from, _, isSpan := strings.Cut(span, "-")
	if !ok || !found || !isSpan {
		return 0, -1, false
	}
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return 0, -1, false
	}
	if size, err = strconv.ParseInt(total, 10, 64); err != nil {
		size = -1
	}
	return first, size, true
}

// readInfo describes the object of an answer that begins at the offset. An
// answer that begins elsewhere, or whose end could not be told from that of a
// broken connection, is none.
func readInfo(out *s3.GetObjectOutput, offset int64) (Info, error) {
	info := Info{Size: -1, ModTime: knownTime(aws.ToTime(out.LastModified)), ETag: aws.ToString(out.ETag)}
	first, size, partial := contentRange(aws.ToString(out.ContentRange))
	switch {
	case partial:
		info.Size = size
	case out.ContentLength != nil:
		info.Size = *out.ContentLength
	}
	if first != offset {
		return Info{}, &Error{
			Reason: ErrUnavailable, Hint: hintEndpoint, Err: errors.New("the store did not send the range that was asked for"),
		}
	}
	// Before HTTP/2, a body without a length and without chunks ends with its
	// connection, for whatever reason that ends: RFC 9112, section 6.3.
	if raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok &&
		raw.ProtoMajor < 2 && raw.ContentLength < 0 && !slices.Contains(raw.TransferEncoding, "chunked") {
		return Info{}, &Error{
			Reason: ErrUnavailable, Hint: hintEndpoint,
			Err: errors.New("the answer has neither a length nor chunks, so that its end cannot be told from a broken connection"),
		}
	}
	return info, nil
}
