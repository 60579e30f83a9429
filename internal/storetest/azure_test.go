package storetest_test

import (
	"net/http"
	"strings"
	"testing"

	"deckhand/internal/storage"
	"deckhand/internal/storetest"
)

// reachedAzurite says how it is reached with some credentials. A proxy has the
// address of the server alone.
func reachedAzurite(credentials storage.AzureConfig) func(endpoint string) storage.Config {
	return func(endpoint string) storage.Config {
		if !strings.HasSuffix(endpoint, storetest.AzuriteAccount) {
			endpoint += "/" + storetest.AzuriteAccount
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
	endpoint := storetest.StartAzurite(t)
	const wrongKey = "d3Jvbmcta2V5LXdyb25nLWtleQ=="
	storetest.Run(t, storetest.Store{
		Root:      storetest.AzuriteRoot,
		Endpoint:  strings.TrimSuffix(endpoint, "/"+storetest.AzuriteAccount),
		Config:    reachedAzurite(storage.AzureConfig{AccountKey: storetest.AzuriteKey}),
		Wrong:     reachedAzurite(storage.AzureConfig{AccountKey: wrongKey}),
		Secrets:   []string{storetest.AzuriteKey, wrongKey},
		Throttled: slowDownAzure,
		Fate:      fateInAzure,
		// Azurite breaks connections off that it has not used for a while.
		Batch: 256, Odd: 20,
		NoBucket: "abfss://no-such-container@" + storetest.AzuriteAccount + ".dfs.core.windows.net/",
	})
}
