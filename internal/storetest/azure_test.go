package storetest_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// The account that every Azurite has; its key is in Azurite's documentation.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	azuriteRoot    = "abfss://warehouse@" + azuriteAccount + ".dfs.core.windows.net/"
)

// startAzurite gives the address of its account, in which there is a container.
func startAzurite(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint = storetest.Start(t, storetest.Process{
		Name: "azurite/node_modules/.bin/azurite-blob",
		Args: func(port int, folder string) []string {
			return []string{
				"--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(port), "--location", folder,
				"--silent", "--skipApiVersionCheck", "--disableTelemetry",
			}
		},
	}) + "/" + azuriteAccount
	_, err := azuriteClient(t, endpoint).CreateContainer(t.Context(), "warehouse", nil)
	require.NoError(t, err)
	return endpoint
}

func azuriteClient(t testing.TB, endpoint string) *service.Client {
	t.Helper()
	key, err := service.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := service.NewClientWithSharedKeyCredential(endpoint, key, &service.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
	require.NoError(t, err)
	return client
}

func azuriteConfig(endpoint string) storage.Config {
	// A proxy has the address of the server alone.
	if !strings.HasSuffix(endpoint, azuriteAccount) {
		endpoint += "/" + azuriteAccount
	}
	return storage.Config{Azure: storage.AzureConfig{Endpoint: endpoint, AccountKey: azuriteKey}}
}
