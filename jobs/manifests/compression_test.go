package manifests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/manifest"
	"deckhand/internal/table"
)

func TestCompressionThatMakesNoSenseIsTheUsualOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec, level string
		want         manifest.Compression
	}{
		{"", "", manifest.Compression{}},
		{"lzma", "3", manifest.Compression{Level: 3}},
		{"gzip", "0", manifest.Compression{}},
		{"gzip", "10", manifest.Compression{}},
		{"gzip", "-1", manifest.Compression{}},
		{"gzip", "best", manifest.Compression{}},
		{"gzip", "99999999999999999999", manifest.Compression{}},
		{"gzip", " 9 ", manifest.Compression{Level: 9}},
		{" ZSTD ", "22", manifest.Compression{Codec: "zstd", Level: 22}},
		{"zstd", "23", manifest.Compression{Codec: "zstd"}},
		{"snappy", "1", manifest.Compression{Codec: "snappy"}},
		{"uncompressed", "1", manifest.Compression{Codec: "uncompressed"}},
	} {
		m := &table.Metadata{Properties: map[string]string{propertyCodec: c.codec, propertyLevel: c.level}}
		require.Equal(t, c.want, compression(m), c)
	}
}
