package polaris

import (
	"context"
	"net/url"
	"strings"
	"time"

	"deckhand/internal/storage"
)

// sasTokens are those of a configuration, by the account that they are for, "" for
// any. The key ends with the account, its host, or neither: see AzureProperties of
// Iceberg's Java library, and what Polaris vends for older ones.
func sasTokens(config map[string]string) map[string]string {
	var tokens map[string]string
	for key, token := range config {
		account, ok := accountOf(key, keySAS)
		if !ok || token == "" {
			continue
		}
		if tokens == nil {
			tokens = map[string]string{}
		}
		// Of two spellings of one account either serves; always the same one.
		if other, twice := tokens[account]; !twice || token < other {
			tokens[account] = token
		}
	}
	return tokens
}

// accountOf reads the account behind a key, "" for none.
func accountOf(key, name string) (account string, ok bool) {
	rest, found := strings.CutPrefix(key, name)
	if !found || rest != "" && rest[0] != '.' {
		return "", false
	}
	account, _, _ = strings.Cut(strings.TrimPrefix(rest, "."), ".")
	return strings.ToLower(account), true
}

// sasEnd is when the first of the tokens ends, as the catalog or the token itself says.
func sasEnd(config map[string]string, now time.Time) time.Time {
	var end time.Time
	ends := func(at time.Time) {
		if end.IsZero() || at.Before(end) {
			end = at
		}
	}
	for key, text := range config {
		if _, ok := accountOf(key, keySASExpires); ok {
			ends(endOf(text, now))
		}
	}
	for _, token := range sasTokens(config) {
		if at, ok := signedEnd(token); ok {
			ends(at)
		}
	}
	if end.IsZero() {
		return now.Add(untoldLife)
	}
	return end
}

// signedEnd reads the signed expiry of a SAS token. Source: "Create a service SAS" of
// Azure Storage.
func signedEnd(token string) (time.Time, bool) {
	values, err := url.ParseQuery(strings.TrimPrefix(token, "?"))
	if err != nil {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if at, err := time.Parse(layout, values.Get("se")); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// sas is the token for a location, "" for none.
func (k keys) sas(l storage.Location) string {
	_, host, _ := strings.Cut(l.Bucket, "@")
	account, _, _ := strings.Cut(host, ".")
	if token := k.azure[account]; token != "" {
		return token
	}
	return k.azure[""]
}

// Azure implements [storage.VendedAzure].
func (v *vended) Azure(l storage.Location) (string, storage.AzureConfig, error) {
	if !v.vends(kindAzure) {
		return "", v.base.Azure, nil
	}
	found, err := v.find(l)
	if err != nil {
		return "", storage.AzureConfig{}, err
	}
	cfg := storage.AzureConfig{Endpoint: v.base.Azure.Endpoint}
	cfg.Renew = func(ctx context.Context) (storage.AzureCredentials, error) {
		k, err := v.keysFor(ctx, l)
		return storage.AzureCredentials{SASToken: k.sas(l), Expires: k.expires}, err
	}
	return found.prefix, cfg, nil
}
