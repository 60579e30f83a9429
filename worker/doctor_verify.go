package main

import (
	"context"
	"errors"

	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/polaris"
	"deckhand/jobs"
)

// maintainsTables says whether any kind that works on living tables has slots.
func maintainsTables(slots config.Slots) bool {
	for kind, count := range slots {
		if count > 0 && !kind.PurgesDropped() {
			return true
		}
	}
	return false
}

// purgesDropped says whether any kind that works on dropped tables has slots.
func purgesDropped(slots config.Slots) bool {
	for kind, count := range slots {
		if count > 0 && kind.PurgesDropped() {
			return true
		}
	}
	return false
}

// examineVerify says whether purges can ask whether a dropped table lives on.
func examineVerify(catalog *config.Catalog, slots config.Slots, area string, r *report) {
	if !purgesDropped(slots) {
		return
	}
	if err := catalog.CanVerify(); err != nil {
		r.result(err, verdictFail, area, "verify purges", "")
	} else if catalog.Purge.Verify == config.AskOff {
		r.add(verdictWarn, area, "verify purges", "off: a table that is registered again while its purge waits loses its files")
	}
}

// examineOwners tries what a purge asks before it deletes anything.
func examineOwners(ctx context.Context, client *polaris.Client, id polaris.Identifier, slots config.Slots, area string, r *report) {
	if slots[jobs.Purge]+slots[jobs.PurgeFiles] > 0 {
		_, err := client.DescribeTable(ctx, id, "")
		owners(err, "TABLE_READ_PROPERTIES", area, "verify purges", r)
	}
	if slots[jobs.PurgeView] == 0 {
		return
	}
	var err error
	for view, listErr := range client.Views(ctx, id.Namespace) {
		if err = listErr; err == nil {
			_, err = client.DescribeView(ctx, view, "")
		}
		break
	}
	owners(err, "VIEW_READ_PROPERTIES", area, "verify purges of views", r)
}

func owners(err error, privilege, area, check string, r *report) {
	if errors.Is(err, polaris.ErrForbidden) {
		r.add(verdictFail, area, check, "such a purge deletes nothing until it may ask what lives in the namespace; "+
			"grant the principal %s on the catalog: %s", privilege, command.OneLine(err))
		return
	}
	r.result(err, verdictFail, area, check, "the catalog tells what lives in a namespace")
}
