package polaris

import (
	"context"
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

// sasEnd is when the first of the tokens ends.
func sasEnd(config map[string]string, now time.Time) time.Time {
	var end time.Time
	for key, text := range config {
		if _, ok := accountOf(key, keySASExpires); !ok {
			continue
		}
		if at := endOf(text, now); end.IsZero() || at.Before(end) {
			end = at
		}
	}
	if end.IsZero() {
		return now.Add(untoldLife)
	}
	return end
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
