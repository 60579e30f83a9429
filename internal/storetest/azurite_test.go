package storetest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// azurite is a server with a container and another program that works in it.
type azurite struct {
	endpoint string
	client   *container.Client
}

func openAzurite(t testing.TB) azurite {
	t.Helper()
	endpoint := storetest.StartAzurite(t)
	return azurite{endpoint: endpoint, client: storetest.AzuriteClient(t, endpoint).NewContainerClient("warehouse")}
}

// sas makes a SAS token for the container.
func (a azurite) sas(t testing.TB, rights sas.ContainerPermissions, ends time.Time) string {
	t.Helper()
	key, err := blob.NewSharedKeyCredential(storetest.AzuriteAccount, storetest.AzuriteKey)
	require.NoError(t, err)
	values, err := sas.BlobSignatureValues{
		ContainerName: "warehouse", Permissions: rights.String(), StartTime: ends.Add(-24 * time.Hour), ExpiryTime: ends,
	}.SignWithSharedKey(key)
	require.NoError(t, err)
	return values.Encode()
}

var allRights = sas.ContainerPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true, Tag: true}

// store is the container reached with some credentials.
func (a azurite) store(credentials storage.AzureConfig) storetest.Store {
	return storetest.Store{Root: storetest.AzuriteRoot, Endpoint: a.endpoint, Config: reachedAzurite(credentials)}
}

func (a azurite) open(t testing.TB, credentials storage.AzureConfig) *storetest.Lab {
	t.Helper()
	return storetest.Open(t, a.store(credentials), a.endpoint, nil)
}

// One server for all, since it takes seconds to start.
func TestAzuriteInDetail(t *testing.T) {
	t.Parallel()
	a := openAzurite(t)
	for name, test := range map[string]func(*testing.T, azurite){
		"ASASTokenOpensTheContainer":              sasOpens,
		"ASASTokenWithFewRightsIsDeniedByEachKey": sasDenies,
		"ASASTokenThatHasEndedIsExpired":          sasEnds,
		"VendedSASTokensAreRenewed":               sasRenews,
		"WhatHoldsABlobIsSaid":                    blobsAreHeld,
		"DirectoriesOfHadoopAreNoFiles":           markersAreNoFiles,
		"MetadataAndTagsAreMoved":                 metadataIsMoved,
		"ABlobIsReadAsItIsStored":                 storedIsRead,
		"ManyPagesAreListedInParallel":            manyPages,
	} {
		t.Run(name, func(t *testing.T) { test(t, a) })
	}
}

func sasOpens(t *testing.T, a azurite) {
	token := a.sas(t, allRights, time.Now().Add(time.Hour))
	store := a.store(storage.AzureConfig{SASToken: "?" + token})
	store.Objects, store.Batch, store.Odd, store.Fate = 300, 256, 5, fateInAzure
	store.Wrong = reachedAzurite(storage.AzureConfig{SASToken: strings.Replace(token, "sig=", "sig=AAAA", 1)})
	store.Secrets = []string{token, "sig=AAAA"}
	storetest.Run(t, store)
}

func sasDenies(t *testing.T, a azurite) {
	l := a.open(t, storage.AzureConfig{AccountKey: storetest.AzuriteKey})
	at := []storage.Location{l.Put(t, "one", "1"), l.Put(t, "two", "2")}
	token := a.sas(t, sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(time.Hour))
	reader := a.open(t, storage.AzureConfig{SASToken: token})
	require.Equal(t, "1", reader.Content(t, at[0]))
	errs := []error{reader.Write(t.Context(), at[0], nil), reader.Move(t.Context(), at[0], l.Root.Join("three"))}
	for _, r := range reader.Delete(t.Context(), at) {
		errs = append(errs, r.Err)
	}
	for _, err := range errs {
		require.ErrorIs(t, err, storage.ErrDenied)
		require.NotContains(t, err.Error(), "sig=")
		require.NotContains(t, err.Error(), token)
	}
	require.Equal(t, []string{"one", "two"}, l.Names(t))
}

func sasEnds(t *testing.T, a azurite) {
	token := a.sas(t, allRights, time.Now().Add(-time.Minute))
	l := a.open(t, storage.AzureConfig{SASToken: token})
	for _, err := range []error{
		l.Write(t.Context(), l.Root.Join("a"), nil), l.Delete(t.Context(), []storage.Location{l.Root.Join("a")})[0].Err,
	} {
		require.Error(t, err)
		require.NotContains(t, err.Error(), "sig=")
		// Azurite says only that it is not authorized, Azure says why.
		require.ErrorIs(t, err, storage.ErrDenied)
	}
}

// vendedAzure hands out a token that has ended first, and then others.
type vendedAzure struct {
	cfg    storage.AzureConfig
	tokens []string
	asked  atomic.Int64
}

func (v *vendedAzure) S3(storage.Location) (string, storage.S3Config, error) {
	return "", storage.S3Config{}, fmt.Errorf("it has no keys of S3")
}

func (v *vendedAzure) Azure(storage.Location) (string, storage.AzureConfig, error) {
	cfg := v.cfg
	cfg.Renew = func(context.Context) (storage.AzureCredentials, error) {
		n := int(v.asked.Add(1))
		return storage.AzureCredentials{SASToken: v.tokens[min(n, len(v.tokens))-1]}, nil
	}
	return "table", cfg, nil
}

func sasRenews(t *testing.T, a azurite) {
	v := &vendedAzure{
		cfg:    storage.AzureConfig{Endpoint: a.endpoint},
		tokens: []string{a.sas(t, allRights, time.Now().Add(time.Hour)), a.sas(t, allRights, time.Now().Add(2*time.Hour))},
	}
	l := storetest.Open(t, a.store(storage.AzureConfig{}), a.endpoint, func(c *storage.Config) {
		c.Azure, c.Vended = storage.AzureConfig{}, v
	})
	for i := range 3 {
		at := l.Put(t, fmt.Sprint(i), "x")
		require.Equal(t, "x", l.Content(t, at))
		require.NoError(t, l.Delete(t.Context(), []storage.Location{at})[0].Err)
	}
	require.Empty(t, l.Names(t))
	require.Greater(t, v.asked.Load(), int64(6), "each request asks")
}

func blobsAreHeld(t *testing.T, a azurite) {
	l := a.open(t, storage.AzureConfig{AccountKey: storetest.AzuriteKey})
	leased, snapped, free := l.Put(t, "leased", "1"), l.Put(t, "snapped", "2"), l.Put(t, "free", "3")
	holder, err := lease.NewBlobClient(a.client.NewBlobClient(leased.Key), nil)
	require.NoError(t, err)
	_, err = holder.AcquireLease(t.Context(), -1, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := holder.BreakLease(context.Background(), nil)
		require.NoError(t, err)
	})
	_, err = a.client.NewBlobClient(snapped.Key).CreateSnapshot(t.Context(), nil)
	require.NoError(t, err)
	results := l.Delete(t.Context(), []storage.Location{leased, snapped, free})
	require.ErrorIs(t, results[0].Err, storage.ErrRejected)
	require.ErrorContains(t, results[0].Err, "lease")
	require.ErrorIs(t, results[1].Err, storage.ErrRejected)
	require.ErrorContains(t, results[1].Err, "snapshots")
	require.NoError(t, results[2].Err)
	err = l.Move(t.Context(), leased, l.Root.Join("elsewhere"))
	require.ErrorIs(t, err, storage.ErrRejected)
	require.ErrorContains(t, err, "lease")
	require.Equal(t, "1", l.Content(t, leased))
	require.Equal(t, []string{"elsewhere", "leased", "snapped"}, l.Names(t), "a copy may stay")
}

func markersAreNoFiles(t *testing.T, a azurite) {
	l := a.open(t, storage.AzureConfig{AccountKey: storetest.AzuriteKey})
	yes := "true"
	_, err := a.client.NewBlockBlobClient(l.Root.Join("data").Key).Upload(t.Context(), readSeekNopCloser{strings.NewReader("")},
		&blockblob.UploadOptions{Metadata: map[string]*string{"hdi_isfolder": &yes}})
	require.NoError(t, err)
	l.Put(t, "data/a", "x")
	require.Equal(t, []string{"data/a"}, l.Names(t))
	_, _, err = l.Open(t.Context(), l.Root.Join("data"))
	require.ErrorIs(t, err, storage.ErrRejected)
}

type readSeekNopCloser struct{ io.ReadSeeker }

func (readSeekNopCloser) Close() error { return nil }

func metadataIsMoved(t *testing.T, a azurite) {
	l := a.open(t, storage.AzureConfig{AccountKey: storetest.AzuriteKey})
	from, to, mine := l.Root.Join("a"), l.Root.Join("b"), "mine"
	kind := "text/plain"
	_, err := a.client.NewBlockBlobClient(from.Key).Upload(t.Context(), readSeekNopCloser{strings.NewReader("x")}, &blockblob.UploadOptions{
		Metadata: map[string]*string{"owner": &mine}, Tags: map[string]string{"team": "a b"},
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &kind},
	})
	require.NoError(t, err)
	require.NoError(t, l.Move(t.Context(), from, to))
	moved, err := a.client.NewBlobClient(to.Key).GetProperties(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "mine", *moved.Metadata["Owner"])
	require.Equal(t, "text/plain", *moved.ContentType)
	tags, err := a.client.NewBlobClient(to.Key).GetTags(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, tags.BlobTagSet, 1)
	require.Equal(t, "a b", *tags.BlobTagSet[0].Value)
}

func storedIsRead(t *testing.T, a azurite) {
	l := a.open(t, storage.AzureConfig{AccountKey: storetest.AzuriteKey})
	at, gzip := l.Root.Join("1.gz.metadata.json"), "gzip"
	_, err := a.client.NewBlockBlobClient(at.Key).Upload(t.Context(), readSeekNopCloser{strings.NewReader("not unpacked")},
		&blockblob.UploadOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &gzip}})
	require.NoError(t, err)
	require.Equal(t, "not unpacked", l.Content(t, at))
}

// smallPages is a proxy that lets a page hold 40 blobs: a SAS token does not sign that.
func smallPages(t testing.TB, endpoint string) (address string, asked *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(endpoint, "/"+storetest.AzuriteAccount))
	require.NoError(t, err)
	asked = &atomic.Int64{}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if query := r.Out.URL.Query(); query.Get("comp") == "list" {
				asked.Add(1)
				query.Set("maxresults", "40")
				r.Out.URL.RawQuery = query.Encode()
			}
		},
	})
	t.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	return srv.URL + "/" + storetest.AzuriteAccount, asked
}

func manyPages(t *testing.T, a azurite) {
	address, asked := smallPages(t, a.endpoint)
	store := a.store(storage.AzureConfig{SASToken: a.sas(t, allRights, time.Now().Add(time.Hour))})
	l := storetest.Open(t, store, address, nil)
	const n = 900
	names := make([]string, n)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range names {
		names[i] = fmt.Sprintf("data/p=%d/%04d.parquet", i%11, i)
		group.Go(func() error { return l.Write(t.Context(), l.Root.Join(names[i]), []byte("x")) })
	}
	require.NoError(t, group.Wait())
	slices.Sort(names)
	require.Equal(t, names, l.Names(t))
	require.GreaterOrEqual(t, asked.Swap(0), int64(n/40))
	var found []string
	for o, err := range l.ListParallel(t.Context(), l.Root, storage.ListConfig{InFlight: 6}) {
		require.NoError(t, err)
		found = append(found, strings.TrimPrefix(o.Location.Key, l.Root.Key+"/"))
	}
	slices.Sort(found)
	require.Equal(t, names, found)
	require.Less(t, asked.Load(), int64(2*n/40+10))
}
