package polaristest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/s3test"
)

// The recording's bucket, and the root of its catalog.
const (
	lakeBucket = "lab"
	lakeRoot   = "s3://" + lakeBucket + "/wh"
)

// What the token service of the lake vends.
const (
	vendedKey    = "vended-key"
	vendedSecret = "vended-secret"
	vendedToken  = "vended-token"
)

// lake is an S3 server with a token service, as the recording had them: some
// answers tell the kind of storage.
type lake struct {
	objects *s3test.Server
	tokens  *httptest.Server
}

func newLake(t *testing.T) *lake {
	t.Helper()
	l := &lake{objects: s3test.Start(t, s3test.Options{Buckets: []string{lakeBucket}}), tokens: httptest.NewServer(http.HandlerFunc(assumeRole))}
	t.Cleanup(l.tokens.Close)
	return l
}

// assumeRole is all of STS that Polaris asks for.
func assumeRole(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
		`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleResult></AssumeRoleResponse>`, vendedKey, vendedSecret, vendedToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// properties let a server use the lake.
func (l *lake) properties(o *Options) {
	o.Properties["aws.accessKeyId"] = s3test.AccessKeyID
	o.Properties["aws.secretAccessKey"] = s3test.SecretAccessKey
	o.Properties["aws.region"] = "us-west-2"
	o.Properties["aws.requestChecksumCalculation"] = "when_required" // the server behind does not know trailers
}

// storage describes the lake to a catalog.
func (l *lake) storage() map[string]any {
	return map[string]any{
		"storageType": "S3", "roleArn": "arn:aws:iam::123456789012:role/polaris", "region": "us-west-2",
		"endpoint": l.objects.Endpoint(), "stsEndpoint": l.tokens.URL, "pathStyleAccess": true,
	}
}

// damage takes an object away, or writes other data into it.
func (l *lake) damage(t *testing.T, location, data string) {
	t.Helper()
	key, found := strings.CutPrefix(location, "s3://"+lakeBucket+"/")
	require.True(t, found, location)
	require.True(t, l.objects.Has(lakeBucket, key), location)
	if data == "" {
		l.objects.Remove(lakeBucket, key)
	} else {
		l.objects.Put(lakeBucket, key, []byte(data))
	}
}
