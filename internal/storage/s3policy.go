package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// policyLimit is how many characters a session policy may have. Source: the
// parameter Policy of AssumeRole in the API reference of AWS STS.
const policyLimit = 2048

// grant is what a session needs of one bucket.
type grant struct {
	partition, bucket string
	// read are the folders that are read and listed, erase those in which something
	// is deleted.
	read, erase []Location
	// writes: it writes and moves there too.
	writes bool
	// versions: it lists and deletes the versions of objects there too.
	versions bool
	// aws: the store is AWS's, so that the policy may say what others do not know.
	aws bool
}

// Actions of a policy. Source: "Actions, resources, and condition keys for Amazon
// S3" in the service authorization reference of AWS.
var (
	readActions    = []string{"s3:GetObject"}
	eraseActions   = []string{"s3:DeleteObject"}
	versionActions = []string{"s3:DeleteObjectVersion"}
	// writeActions are those of a PutObject and of a copy, which takes the tags
	// along and may have parts.
	writeActions = []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObjectTagging", "s3:PutObjectTagging"}
)

// document is a policy. Source: "Grammar of the IAM JSON policy language" in the
// user guide of AWS IAM.
type document struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Effect    string     `json:"Effect"`
	Action    []string   `json:"Action"`
	Resource  []string   `json:"Resource"`
	Condition conditions `json:"Condition,omitempty"`
}

// conditions by operator and key.
type conditions map[string]map[string][]string

// policy is the grant as the text of a session policy, in ASCII.
func (g grant) policy() string {
	doc := document{Version: "2012-10-17"}
	allow := func(actions, resources []string, when conditions) {
		if len(actions) > 0 && len(resources) > 0 {
			doc.Statement = append(doc.Statement, statement{Effect: "Allow", Action: actions, Resource: resources, Condition: when})
		}
	}
	changes := slices.Clone(eraseActions)
	if g.versions {
		changes = append(changes, versionActions...)
	}
	if g.writes {
		changes = append(changes, writeActions...)
	}
	read, erase := g.patterns(g.read), g.patterns(g.erase)
	if slices.Equal(read, erase) {
		allow(slices.Concat(readActions, changes), g.objects(erase), nil)
	} else {
		allow(readActions, g.objects(read), nil)
		allow(changes, g.objects(erase), nil)
	}
	bucket := []string{g.arn(g.escape(g.bucket))}
	allow([]string{"s3:ListBucket"}, bucketsOf(read, bucket), below(read))
	if g.versions {
		allow([]string{"s3:ListBucketVersions"}, bucketsOf(erase, bucket), below(erase))
	}
	// It has no condition key for a prefix.
	allow([]string{"s3:GetBucketVersioning"}, bucketsOf(slices.Concat(read, erase), bucket), nil)
	if g.aws {
		// The role's own rights decide which keys; without this, objects under a key
		// of KMS could not be read at all.
		through := conditions{"StringLike": {"kms:ViaService": {"s3.*"}}}
		keys := []string{"kms:Decrypt"}
		if g.writes {
			keys = append(keys, "kms:GenerateDataKey")
		}
		allow(keys, []string{"*"}, through)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // texts and lists of texts have nothing that could fail
	return ascii(strings.TrimSuffix(b.String(), "\n"))
}

// bucketsOf is the bucket, and nothing where there is nothing to be done in it.
func bucketsOf(patterns, bucket []string) []string {
	if len(patterns) == 0 {
		return nil
	}
	return bucket
}

// below limits a listing to prefixes; one of the whole bucket needs no condition.
func below(patterns []string) conditions {
	if slices.Contains(patterns, "*") {
		return nil
	}
	return conditions{"StringLike": {"s3:prefix": patterns}}
}

// patterns of the keys in the folders. A folder inside another one adds nothing.
func (g grant) patterns(folders []Location) []string {
	var list []string
	for _, l := range outermost(folders) {
		list = append(list, g.escape(l.folder())+"*")
	}
	return list
}

func (g grant) objects(patterns []string) []string {
	names := make([]string, len(patterns))
	for i, p := range patterns {
		names[i] = g.arn(g.escape(g.bucket) + "/" + p)
	}
	return names
}

func (g grant) arn(name string) string { return "arn:" + g.partition + ":s3:::" + name }

// escape lets a policy take the characters that mean something there for
// themselves. Source: "IAM policy elements: variables and tags" in the user guide
// of AWS IAM, which has ${*}, ${?} and ${$} for them. Other stores do not know
// these; there they become a "?", one character of any kind, and it is the guard
// alone that tells such folders apart.
func (g grant) escape(text string) string {
	if !strings.ContainsAny(text, "*?$") {
		return text
	}
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c != '*' && c != '?' && c != '$':
			b.WriteByte(c)
		case g.aws:
			b.WriteString("${" + string(c) + "}")
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// ascii writes all other characters as JSON's \u escapes: a policy may only have
// those up to U+00FF.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
