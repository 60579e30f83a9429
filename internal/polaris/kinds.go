package polaris

import (
	"cmp"
	"context"
	"maps"
	"strconv"
	"time"

	"deckhand/internal/storage"
)

// The kinds of stores for which catalogs vend keys, by the scheme of their
// locations.
const (
	kindS3    = "s3"
	kindGCS   = "gs"
	kindAzure = "abfss"
)

// schemes say which kind of store a scheme is of.
var schemes = map[string]string{
	"s3": kindS3, "s3a": kindS3, "s3n": kindS3, "gs": kindGCS,
	"abfss": kindAzure, "abfs": kindAzure, "wasbs": kindAzure, "wasb": kindAzure,
}

// kindsOf tells of which stores there are keys.
func kindsOf(config map[string]string) (kinds []string) {
	if config[keyAccessKey] != "" {
		kinds = append(kinds, kindS3)
	}
	if config[keyGCSToken] != "" {
		kinds = append(kinds, kindGCS)
	}
	if len(sasTokens(config)) > 0 {
		kinds = append(kinds, kindAzure)
	}
	return kinds
}

// keys are those of one kind; the others are zero.
type keys struct {
	s3  storage.S3Credentials
	gcs storage.GCSToken
	// azure are the SAS tokens by account, "" for any.
	azure map[string]string
	// expires is when the store refuses them; zero: never.
	expires time.Time
}

func (k keys) same(other keys) bool {
	return k.s3.AccessKeyID == other.s3.AccessKeyID && k.s3.SessionToken == other.s3.SessionToken && k.gcs.Token == other.gcs.Token &&
		maps.Equal(k.azure, other.azure)
}

// keysOf reads those of the kind.
func keysOf(kind string, config map[string]string, now time.Time) keys {
	switch kind {
	case kindAzure:
		return keys{azure: sasTokens(config), expires: sasEnd(config, now)}
	case kindGCS:
		end := endOf(config[keyGCSExpires], now)
		return keys{gcs: storage.GCSToken{Token: config[keyGCSToken], Expires: end}, expires: end}
	}
	k := keys{s3: storage.S3Credentials{
		AccessKeyID: config[keyAccessKey], SecretAccessKey: config[keySecretKey], SessionToken: config[keyToken],
	}}
	if k.s3.SessionToken != "" || config[keyExpires] != "" {
		k.expires = endOf(config[keyExpires], now)
	}
	k.s3.Expires = k.expires
	return k
}

// endOf reads a time in milliseconds since the epoch.
func endOf(text string, now time.Time) time.Time {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	return now.Add(untoldLife)
}

// S3 implements [storage.Vended].
func (v *vended) S3(l storage.Location) (string, storage.S3Config, error) {
	if !v.vends(kindS3) {
		return "", v.base.S3, nil
	}
	found, err := v.find(l)
	if err != nil {
		return "", storage.S3Config{}, err
	}
	cfg := storage.S3Config{
		Endpoint: cmp.Or(found.merged["s3.endpoint"], v.base.S3.Endpoint), PathStyle: v.base.S3.PathStyle,
		Region: cmp.Or(found.merged["client.region"], found.merged["s3.region"], v.base.S3.Region),
	}
	if text, set := found.merged["s3.path-style-access"]; set {
		cfg.PathStyle = text == "true"
	}
	cfg.Renew = func(ctx context.Context) (storage.S3Credentials, error) {
		k, err := v.keysFor(ctx, l)
		return k.s3, err
	}
	return found.prefix, cfg, nil
}

// GCS implements [storage.VendedGCS].
func (v *vended) GCS(l storage.Location) (string, storage.GCSConfig, error) {
	if !v.vends(kindGCS) {
		return "", v.base.GCS, nil
	}
	found, err := v.find(l)
	if err != nil {
		return "", storage.GCSConfig{}, err
	}
	cfg := storage.GCSConfig{
		Endpoint:    cmp.Or(found.merged["gcs.service.host"], v.base.GCS.Endpoint),
		UserProject: cmp.Or(found.merged["gcs.user-project"], v.base.GCS.UserProject),
	}
	cfg.Renew = func(ctx context.Context) (storage.GCSToken, error) {
		k, err := v.keysFor(ctx, l)
		return k.gcs, err
	}
	return found.prefix, cfg, nil
}
