package storetest

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"
)

// The account that every Azurite has; its key is in Azurite's documentation.
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	AzuriteRoot    = "abfss://warehouse@" + AzuriteAccount + ".dfs.core.windows.net/"
)

// StartAzurite gives the address of its account, in which there is a container.
func StartAzurite(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint = Start(t, Process{
		Name: "azurite/node_modules/.bin/azurite-blob",
		Args: func(port int, folder string) []string {
			return []string{
				"--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(port), "--location", folder,
				"--silent", "--skipApiVersionCheck", "--disableTelemetry",
			}
		},
	}) + "/" + AzuriteAccount
	_, err := AzuriteClient(t, endpoint).CreateContainer(t.Context(), "warehouse", nil)
	require.NoError(t, err)
	return endpoint
}

// AzuriteClient is that of another program.
func AzuriteClient(t testing.TB, endpoint string) *service.Client {
	t.Helper()
	key, err := service.NewSharedKeyCredential(AzuriteAccount, AzuriteKey)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := service.NewClientWithSharedKeyCredential(endpoint, key, &service.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
	require.NoError(t, err)
	return client
}
