package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

func TestTheSpellingsOfABlobAreOneLocation(t *testing.T) {
	t.Parallel()
	want := storage.Location{Scheme: "abfss", Bucket: "lake@acc.dfs.core.windows.net", Key: "t/data/f"}
	for _, uri := range []string{
		"abfss://lake@acc.dfs.core.windows.net/t/data/f",
		"abfs://lake@acc.dfs.core.windows.net/t/data/f",
		"wasbs://lake@acc.blob.core.windows.net/t/data/f",
		"wasb://lake@acc.blob.core.windows.net/t/data/f",
		"abfss://lake@acc.blob.core.windows.net/t/data/f",
		"wasbs://lake@acc.dfs.core.windows.net/t/data/f",
		"ABFSS://lake@ACC.DFS.Core.Windows.Net/t/data/f",
		"abfss://lake@acc.privatelink.dfs.core.windows.net/t/data/f",
	} {
		require.Equal(t, want, parse(t, uri), uri)
	}
	require.Equal(t, "abfss://lake@acc.dfs.core.windows.net/t/data/f", want.String())
	for uri, bucket := range map[string]string{
		"wasbs://$web@acc.blob.core.chinacloudapi.cn":     "$web@acc.dfs.core.chinacloudapi.cn",
		"abfss://c-1@acc.dfs.core.usgovcloudapi.net/":     "c-1@acc.dfs.core.usgovcloudapi.net",
		"abfss://c@acc.z01.dfs.storage.azure.net/k":       "c@acc.z01.dfs.storage.azure.net",
		"wasbs://c@acc.z01.blob.storage.azure.net/k":      "c@acc.z01.dfs.storage.azure.net",
		"abfss://c@dfs.dfs.core.windows.net/k":            "c@dfs.dfs.core.windows.net",
		"abfss://Space@onelake.dfs.fabric.microsoft.com/": "Space@onelake.dfs.fabric.microsoft.com",
	} {
		require.Equal(t, bucket, parse(t, uri).Bucket, uri)
	}
}

func TestKeysOfAzureAreRaw(t *testing.T) {
	t.Parallel()
	const root = "abfss://c@acc.dfs.core.windows.net"
	for uri, key := range map[string]string{
		"": "", "/": "", "//a": "/a", "/a//b/": "a//b/", "/p=%2F/a b+c?d#e@f": "p=%2F/a b+c?d#e@f", "/c@d/e": "c@d/e",
	} {
		require.Equal(t, key, parse(t, root+uri).Key, uri)
	}
	require.True(t, parse(t, "wasb://c@acc.blob.core.windows.net/t/x").Within(parse(t, root+"/t")))
	require.False(t, parse(t, "abfss://c@acc2.dfs.core.windows.net/t/x").Within(parse(t, root+"/t")))
	require.False(t, parse(t, "abfss://c2@acc.dfs.core.windows.net/t/x").Within(parse(t, root+"/t")))
}

func TestALocationOfAzureNamesContainerAndAccount(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"abfss:/c@acc.dfs.core.windows.net/k", "abfss://", "abfss://container/k", "abfss://@acc.dfs.core.windows.net/k",
		"abfss://c@/k", "abfss://c@acc/k", "abfss://c@acc.windows.net/k", "abfss://c@acc.dfs/k", "abfss://c@.dfs.core.windows.net/k",
		"abfss://c@acc..dfs.core.windows.net/k", "abfss://c@acc.dfs.core.windows.net:443/k", "abfss://c@a@acc.dfs.core.windows.net/k",
		"abfss://c?x@acc.dfs.core.windows.net/k", "abfss://..@acc.dfs.core.windows.net/k", "abfss://$@acc.dfs.core.windows.net/k",
		"abfss://c@acc.dfs.core.windows.net?sig=hush/k", "https://acc.blob.core.windows.net/c/k",
	} {
		_, err := storage.Parse(uri)
		require.Error(t, err, uri)
		require.ErrorContains(t, err, "abfss://container@account.dfs.core.windows.net/key", uri)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestTheBlobServiceOfALocationIsKnown(t *testing.T) {
	t.Parallel()
	for uri, host := range map[string]string{
		"abfss://c@acc.dfs.core.windows.net/t":        "acc.blob.core.windows.net",
		"wasb://c@acc.z01.blob.storage.azure.net/t":   "acc.z01.blob.storage.azure.net",
		"abfss://c@onelake.dfs.fabric.microsoft.com/": "onelake.blob.fabric.microsoft.com",
		"s3://b/t": "",
	} {
		require.Equal(t, host, parse(t, uri).BlobHost(), uri)
	}
}
