package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"deckhand/internal/config"
	"deckhand/internal/polaris"
)

// restTimeout bounds what is asked of one catalog.
const restTimeout = 30 * time.Second

// maxLook is how many namespaces are looked into for a table to load.
const maxLook = 20

// examineREST tries what the kinds that have slots ask of a catalog, and changes
// nothing.
func examineREST(ctx context.Context, catalog *config.Catalog, slots config.Slots, area string, log *slog.Logger, r *report) {
	ctx, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	settings := catalog.ClientConfig()
	settings.Retries, settings.Logger = -1, log // a person waits
	client, err := polaris.New(settings)
	if err != nil {
		r.result(err, verdictFail, area, "rest", "")
		return
	}
	defer func() {
		if err := client.Close(); err != nil {
			r.result(err, verdictWarn, area, "rest", "")
		}
	}()
	offers, err := client.Endpoints(ctx)
	if !r.result(err, verdictFail, area, "rest", "answers at "+settings.URI) {
		return
	}
	maintains := maintainsTables(slots)
	if !offers.Policies && maintains {
		r.add(verdictWarn, area, "policies", "the server offers none, so nothing is due by itself; use worker exec and producer submit")
	}
	id, found, err := someTable(ctx, client, nil, new(int))
	if !r.result(err, verdictFail, area, "list tables", "allowed") {
		return
	}
	if !found {
		r.add(verdictSkip, area, "load a table", "there is none yet, so neither loading nor credentials could be checked")
		return
	}
	if catalog.Purges() && catalog.Purge.Verify != config.AskOff {
		examineOwners(ctx, client, id, slots, area, r)
	}
	if !maintains {
		return
	}
	loaded, err := client.Load(ctx, id, polaris.LoadOptions{Vend: true})
	if !r.result(err, verdictFail, area, "load a table", id.String()) {
		return
	}
	if len(loaded.Credentials) > 0 {
		r.add(verdictOK, area, "credentials", "vended for %d locations", len(loaded.Credentials))
	} else {
		r.add(verdictOK, area, "credentials", "none are vended; the catalog's own storage settings serve")
	}
	examineTable(ctx, client, id, loaded, catalog, area, log, r)
	if offers.Policies {
		_, err = client.Policies(ctx, id)
		r.result(err, verdictFail, area, "policies", "those of "+id.String()+" can be read")
	}
}

// someTable finds the first table, in some of the namespaces.
func someTable(ctx context.Context, client *polaris.Client, parent []string, looked *int) (polaris.Identifier, bool, error) {
	for namespace, err := range client.Namespaces(ctx, parent) {
		if err != nil {
			return polaris.Identifier{}, false, fmt.Errorf("list namespaces: %w", err)
		}
		if *looked++; *looked > maxLook {
			return polaris.Identifier{}, false, nil
		}
		for id, err := range client.Tables(ctx, namespace) {
			return id, err == nil, err
		}
		id, found, err := someTable(ctx, client, namespace, looked)
		if found || err != nil {
			return id, found, err
		}
	}
	return polaris.Identifier{}, false, nil
}
