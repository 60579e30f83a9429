package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// batchBody writes a delete for each key, numbered from 0, each with its own
// authorization. Source: "Blob Batch" in the reference of Azure Storage.
func (c *azureClients) batchBody(ctx context.Context, keys []string) (body []byte, boundary, sas string, err error) {
	sign, sas, err := c.signer(ctx)
	if err != nil {
		return nil, "", "", err
	}
	suffix := ""
	if sas != "" {
		suffix = "?" + sas
	}
	boundary = "batch_" + rand.Text()
	headers := map[string]string{"x-ms-date": time.Now().UTC().Format(http.TimeFormat)}
	var b bytes.Buffer
	for i, key := range keys {
		path := c.root.EscapedPath() + c.path + "/" + url.PathEscape(key)
		fmt.Fprintf(&b, "--%s\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: %d\r\n\r\n", boundary, i)
		fmt.Fprintf(&b, "DELETE %s%s HTTP/1.1\r\nx-ms-date: %s\r\n", path, suffix, headers["x-ms-date"])
		if signed := sign(http.MethodDelete, path, nil, headers, "", 0); signed != "" {
			b.WriteString("Authorization: " + signed + "\r\n")
		}
		b.WriteString("Content-Length: 0\r\n\r\n\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes(), boundary, sas, nil
}
