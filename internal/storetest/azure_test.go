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

// reachedAzurite says how it is reached with some credentials. A proxy has the
// address of the server alone.
func reachedAzurite(credentials storage.AzureConfig) func(endpoint string) storage.Config {
	return func(endpoint string) storage.Config {
		if !strings.HasSuffix(endpoint, azuriteAccount) {
			endpoint += "/" + azuriteAccount
		}
		credentials.Endpoint = endpoint
		return storage.Config{Azure: credentials}
	}
}

// slowDownAzure is how Azure asks to.
var slowDownAzure = []storetest.Answer{
	azureSays(503, "ServerBusy"), azureSays(500, "OperationTimedOut"), azureSays(429, "TooManyRequests"), {Status: 503},
}

func azureSays(status int, code string) storetest.Answer {
	return storetest.Answer{
		Status: status, Header: http.Header{"X-Ms-Error-Code": {code}, "X-Ms-Request-Id": {"1"}, "Content-Type": {"application/xml"}},
		Body: "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + code + "\nRequestId:1</Message></Error>",
	}
}

// fateInAzure is what Azure does; Azurite answers 500 to a listing of names that
// cannot stand in XML.
func fateInAzure(name string) storetest.Fate {
	switch {
	case strings.Contains(name, `\`), strings.HasSuffix(name, "."), strings.Contains(name, "./"):
		return storetest.Refused
	case strings.ContainsAny(name, "\x01\uffff"):
		return storetest.Untold
	}
	return storetest.Held
}

func TestAzurite(t *testing.T) {
	t.Parallel()
	endpoint := startAzurite(t)
	const wrongKey = "d3Jvbmcta2V5LXdyb25nLWtleQ=="
	storetest.Run(t, storetest.Store{
		Root:      azuriteRoot,
		Endpoint:  strings.TrimSuffix(endpoint, "/"+azuriteAccount),
		Config:    reachedAzurite(storage.AzureConfig{AccountKey: azuriteKey}),
		Wrong:     reachedAzurite(storage.AzureConfig{AccountKey: wrongKey}),
		Secrets:   []string{azuriteKey, wrongKey},
		Throttled: slowDownAzure,
		Fate:      fateInAzure,
		// Azurite breaks connections off that it has not used for a while.
		Batch: 256, Odd: 20,
		NoBucket: "abfss://no-such-container@" + azuriteAccount + ".dfs.core.windows.net/",
	})
}
