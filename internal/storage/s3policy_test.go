package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func folders(t *testing.T, uris ...string) []Location {
	t.Helper()
	list := make([]Location, len(uris))
	for i, uri := range uris {
		var err error
		list[i], err = Parse(uri)
		require.NoError(t, err)
	}
	return list
}

func TestThePolicyOfASessionThatDeletesIsNarrow(t *testing.T) {
	t.Parallel()
	of := folders(t, "s3://lake/sales/orders", "s3://lake/sales/orders/data")
	g := grant{partition: "aws", bucket: "lake", read: of, erase: of}
	require.Equal(t, `{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::lake/sales/orders/*"]},`+
		`{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::lake"],"Condition":{"StringLike":{"s3:prefix":["sales/orders/*"]}}},`+
		`{"Effect":"Allow","Action":["s3:GetBucketVersioning"],"Resource":["arn:aws:s3:::lake"]}]}`, g.policy())
}

func TestAPolicyHasTheActionsThatASessionNeedsAndNoOthers(t *testing.T) {
	t.Parallel()
	whole, part := folders(t, "s3://lake"), folders(t, "s3://lake/t")
	for name, c := range map[string]struct {
		grant    grant
		has, not []string
	}{
		"reads": {
			grant{read: whole}, []string{`"s3:GetObject"`, `"s3:ListBucket"`, `"arn:aws:s3:::lake/*"`},
			[]string{"Delete", "Put", "Condition", "kms", "Versions"},
		},
		"writes": {
			grant{read: whole, erase: part, writes: true}, []string{`"s3:PutObject"`, `"s3:DeleteObject"`, `"s3:AbortMultipartUpload"`, `"arn:aws:s3:::lake/t/*"`},
			[]string{"kms", "Versions", `"s3:prefix"`},
		},
		"deletes versions": {
			grant{read: part, erase: part, versions: true}, []string{`"s3:DeleteObjectVersion"`, `"s3:ListBucketVersions"`}, []string{"Put"},
		},
		"reads on AWS":  {grant{read: part, aws: true}, []string{`"kms:Decrypt"`}, []string{"GenerateDataKey"}},
		"writes on AWS": {grant{read: part, erase: part, aws: true, writes: true}, []string{`"kms:Decrypt"`, `"kms:GenerateDataKey"`}, nil},
	} {
		c.grant.partition, c.grant.bucket = "aws", "lake"
		policy := c.grant.policy()
		for _, text := range c.has {
			require.Contains(t, policy, text, name)
		}
		for _, text := range c.not {
			require.NotContains(t, policy, text, name)
		}
	}
}

func TestWildcardsInNamesMeanThemselvesInAPolicy(t *testing.T) {
	t.Parallel()
	for aws, want := range map[bool]string{true: `arn:aws-cn:s3:::lake/t${*}/${?}${$}{aws:username}/*`, false: `arn:aws-cn:s3:::lake/t?/??{aws:username}/*`} {
		g := grant{partition: "aws-cn", bucket: "lake", read: folders(t, "s3://lake/t*/?${aws:username}"), aws: aws}
		require.Contains(t, g.policy(), want)
	}
}

func TestAPolicyIsASCIIAndSaysTheSame(t *testing.T) {
	t.Parallel()
	g := grant{partition: "aws", bucket: "lake", read: folders(t, "s3://lake/größe/日本/😀/\"<&>\x01")}
	policy := g.policy()
	for _, c := range []byte(policy) {
		require.True(t, c >= 0x20 && c < 0x7f, "%q", policy)
	}
	var doc document
	require.NoError(t, json.Unmarshal([]byte(policy), &doc))
	require.Equal(t, []string{"arn:aws:s3:::lake/größe/日本/😀/\"<&>\x01/*"}, doc.Statement[0].Resource)
}

func TestThePartitionIsThatOfTheRole(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:iam::123456789012:role/x": "aws", "arn:aws-us-gov:iam::123456789012:role/x": "aws-us-gov", "arn:minio:iam:::role/some-role": "aws",
	} {
		require.Equal(t, want, S3Role{ARN: arn}.partition())
	}
}

func TestFoldersTooManyForAPolicyBecomeTheOneTheyHaveInCommon(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("s3://lake/sales/eu/orders/part-%03d", i))
	}
	many = append(many, "s3://lake/hr/people")
	bounds := folders(t, "s3://lake/sales", "s3://lake/hr")
	g := grant{partition: "aws", bucket: "lake", read: bounds, erase: folders(t, many...)}
	policy, widened, err := g.fit(bounds)
	require.NoError(t, err)
	require.LessOrEqual(t, len(policy), policyLimit)
	require.Contains(t, widened, "2048")
	require.Contains(t, widened, "s3://lake/sales/eu/orders")
	require.Contains(t, policy, "arn:aws:s3:::lake/hr/people/*", "what fits stays as narrow as it was")
	require.Contains(t, policy, "arn:aws:s3:::lake/sales/eu/orders/*")
	require.Len(t, g.erase, 61, "the caller's folders are not touched")

	g.read = g.erase
	policy, widened, err = g.fit(bounds)
	require.NoError(t, err)
	require.NotContains(t, policy, "lake/sales/*", widened)
	require.Contains(t, widened, "read below s3://lake/hr/people, s3://lake/sales/eu/orders and delete")
}

// Comparing each with each, again and again, takes hours.
func TestThousandsOfFoldersFitSoon(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("s3://lake/sales/eu/orders/%d/%d/part-%03d", i%7, i%211, i), fmt.Sprintf("s3://lake/sales/eu-%d/x", i))
	}
	bounds := folders(t, "s3://lake/sales")
	of := folders(t, many...)
	policy, _, err := grant{partition: "aws", bucket: "lake", read: of, erase: of}.fit(bounds)
	require.NoError(t, err)
	require.LessOrEqual(t, len(policy), policyLimit)
}

func TestFoldersThatLieInOthersAddNothing(t *testing.T) {
	t.Parallel()
	of := folders(t, "s3://lake/a/b", "s3://lake/a-b", "s3://lake/a/", "s3://lake/a", "s3://lake/ab", "s3://lake/a/c/d", "s3://lake//")
	g := grant{partition: "aws", bucket: "lake"}
	require.Equal(t, []string{"/*", "a-b/*", "a/*", "ab/*"}, g.patterns(of))
	require.Equal(t, "a/b", of[0].Key, "the caller's list stays as it is")
	require.Equal(t, []string{"*"}, g.patterns(append(of, folders(t, "s3://lake")...)))
}

func TestALongFolderBecomesAFolderThatItLiesIn(t *testing.T) {
	t.Parallel()
	bounds := folders(t, "s3://lake/sales")
	long := folders(t, "s3://lake/sales/orders/"+strings.Repeat("ü", 400))
	policy, widened, err := grant{partition: "aws", bucket: "lake", read: long, erase: long}.fit(bounds)
	require.NoError(t, err)
	require.Contains(t, policy, "arn:aws:s3:::lake/sales/orders/*")
	require.NotEmpty(t, widened)
}

func TestLocationsOfACatalogThatFitIntoNoPolicyAreRefused(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("s3://lake/%03d-of-the-folders", i))
	}
	bounds := folders(t, many...)
	_, _, err := grant{partition: "aws", bucket: "lake", read: bounds}.fit(bounds)
	require.ErrorIs(t, err, ErrRejected)
	require.ErrorContains(t, err, "name fewer or shorter locations")
}

func TestAPolicyThatFitsIsNotWidened(t *testing.T) {
	t.Parallel()
	g := grant{partition: "aws", bucket: "lake", read: folders(t, "s3://lake/a", "s3://lake/b")}
	policy, widened, err := g.fit(folders(t, "s3://lake"))
	require.NoError(t, err)
	require.Empty(t, widened)
	require.Equal(t, g.policy(), policy)
}
