package storage

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// azureSigner gives the Authorization header of a request, "" where its address holds
// the SAS token. Headers are those that begin with x-ms-; the path is encoded.
type azureSigner func(method, path string, query url.Values, headers map[string]string, contentType string, length int) string

// signer gives what signs requests now, and the SAS token of their addresses, "" for
// none. Errors are [*Error]s, but for those of tokens.
func (c *azureClients) signer(ctx context.Context) (sign azureSigner, sas string, err error) {
	switch {
	case c.cfg.Renew != nil || c.cfg.SASToken != "":
		_, sas, err := c.get(ctx)
		return func(string, string, url.Values, map[string]string, string, int) string { return "" }, sas, err
	case c.cfg.AccountKey != "":
		key, err := base64.StdEncoding.DecodeString(c.cfg.AccountKey)
		return sharedKey{c.account, key}.sign, "", err
	}
	token, err := c.identity.current(ctx)
	return func(string, string, url.Values, map[string]string, string, int) string {
		return "Bearer " + token.Token
	}, "", err
}

// sharedKey signs with a key of the account. Source: "Authorize with Shared Key" in
// the reference of Azure Storage.
type sharedKey struct {
	account string
	key     []byte
}

func (k sharedKey) sign(method, path string, query url.Values, headers map[string]string, contentType string, length int) string {
	var text strings.Builder
	text.WriteString(method + "\n\n\n")
	if length > 0 {
		text.WriteString(strconv.Itoa(length))
	}
	// Between them stand the headers that are not sent.
	text.WriteString("\n\n" + contentType + "\n\n\n\n\n\n\n")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		text.WriteString(name + ":" + headers[name] + "\n")
	}
	text.WriteString("/" + k.account + path)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		text.WriteString("\n" + name + ":" + strings.Join(query[name], ","))
	}
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte(text.String()))
	return "SharedKey " + k.account + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
