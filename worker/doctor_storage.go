package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"deckhand/internal/config"
	"deckhand/internal/storage"
)

const (
	// storageTimeout bounds the checks of one location.
	storageTimeout = 30 * time.Second
	// S3 refuses requests whose time is off by 15 minutes.
	clockWarn, clockFail = 30 * time.Second, 5 * time.Minute
)

func examineCatalog(ctx context.Context, catalog *config.Catalog, slots config.Slots, log *slog.Logger, r *report) {
	area := "catalog " + catalog.Name
	if catalog.Realm != config.DefaultRealm {
		area += " of " + catalog.Realm
	}
	if catalog.REST != nil {
		examineREST(ctx, catalog, slots, area, log, r)
	}
	if catalog.Purges() {
		examineVerify(catalog, slots, area, r)
		examineStorage(ctx, catalog, area, log, r)
	}
}

// examineStorage tries what a purge does.
func examineStorage(ctx context.Context, catalog *config.Catalog, area string, log *slog.Logger, r *report) {
	settings := catalog.StorageConfig()
	settings.Retries = -1 // a person waits
	stores, err := storage.NewStores(settings, storage.NewLimiters())
	if err != nil {
		r.result(err, verdictFail, area, "open", "")
		return
	}
	defer func() {
		if err := stores.Close(); err != nil {
			r.result(err, verdictWarn, area, "close", "")
		}
	}()
	clocks, azure := map[string]bool{}, ""
	for _, text := range catalog.Locations {
		location, err := storage.Parse(text)
		if err != nil {
			r.result(err, verdictFail, area, "location", "")
			continue
		}
		clocks[location.Scheme] = true
		azure = cmp.Or(azure, location.BlobHost())
		examineLocation(ctx, stores, catalog, location, area, log, r)
	}
	if clocks["s3"] {
		examineClock(ctx, clockAddress(catalog.S3), "requests are refused at 15m", area, r)
	}
	if azure != "" {
		examineClock(ctx, cmp.Or(catalog.Azure.Endpoint, "https://"+azure), "requests are refused at 15m", area, r)
	}
	if clocks["gs"] {
		examineClock(ctx, cmp.Or(catalog.GCS.Endpoint, storage.DefaultGCSEndpoint), "Google gives service accounts no token at another time", area, r)
	}
}

func examineLocation(ctx context.Context, stores *storage.Stores, catalog *config.Catalog, location storage.Location, area string, log *slog.Logger, r *report) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	if location.Scheme == "file" {
		if !isFolder(location.Key) {
			r.add(verdictFail, area, "list", "%s is not a folder on this machine; make it, or mount it here", location)
			return
		}
	}
	guard, err := storage.NewGuard(location.String())
	if err != nil {
		r.result(err, verdictFail, area, "location", "")
		return
	}
	session := stores.Session(storage.SessionConfig{Guard: guard, Logger: log})
	var some *storage.Object
	for object, listErr := range session.ListLimit(ctx, location, 1) {
		if err = listErr; err == nil {
			some = &object
		}
		break
	}
	// A purge works without; only its last look at what is left does not.
	r.result(err, verdictWarn, area, "list", location.String())
	examineRead(ctx, session, location, some, err != nil, area, r)
	if probe, err := deleteProbe(ctx, session, location); r.result(err, verdictFail, area, "delete", location.String()) {
		examineVersions(ctx, stores, catalog, location, probe, area, log, r)
	}
}

func examineRead(ctx context.Context, session *storage.Session, location storage.Location, some *storage.Object, unlisted bool, area string, r *report) {
	if some == nil {
		why := "nothing is there to read"
		if unlisted {
			why = "without a listing, what to read is not known"
		}
		r.add(verdictSkip, area, "read", "%s: %s", location, why)
		return
	}
	err := readByte(ctx, session, some.Location)
	r.result(err, verdictFail, area, "read", some.Location.String())
}

// clockAddress is where the store tells the time.
func clockAddress(s3 config.S3) string {
	return cmp.Or(s3.Endpoint, "https://s3."+cmp.Or(s3.Region, "us-east-1")+".amazonaws.com")
}

// examineClock compares this machine's clock with the Date of the store's answer,
// whatever the answer is. beyond is what follows where it is too far.
func examineClock(ctx context.Context, address, beyond, area string, r *report) {
	difference, err := clockDifference(ctx, address)
	if err != nil {
		r.add(verdictSkip, area, "clock", "%v", err)
		return
	}
	reportClock(difference, "clock", address, beyond, area, r)
}

// reportClock says how far the clock at an address, or of a store, is ahead of ours.
// beyond is what follows where it is too far.
func reportClock(difference time.Duration, check, address, beyond, area string, r *report) {
	off := difference.Abs()
	level, advice := verdictOK, ""
	switch {
	case off > clockFail:
		level, advice = verdictFail, "; set the clock, "+beyond
	case off > clockWarn:
		level, advice = verdictWarn, "; set the clock"
	}
	direction := "behind"
	if difference < 0 {
		direction = "ahead of"
	}
	if off <= time.Second { // the header has whole seconds
		r.add(level, area, check, "agrees with %s", address)
		return
	}
	r.add(level, area, check, "%s %s %s%s", off.Round(time.Second), direction, address, advice)
}

// clockDifference is the store's time minus ours.
func clockDifference(ctx context.Context, address string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/", nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the time: %w", err)
	}
	sent := time.Now()
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask for the time: %w", err)
	}
	defer response.Body.Close()
	middle := sent.Add(time.Since(sent) / 2)
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("%s tells no time", address)
	}
	return date.Sub(middle), nil
}
