package main

import (
	"deckhand/internal/config"
	"deckhand/internal/ownership"
	"deckhand/jobs/orphans"
)

// neighbours gives whom a search for orphans asks what else lies in a table's
// locations, and how far; nobody where the configuration says so.
func (b *toolbox) neighbours(realm, catalog string) (orphans.Neighbours, ownership.Mode) {
	found, can := b.asked[[2]string{realm, catalog}]
	if !can || found.config.Orphans.Neighbours == config.AskOff {
		return nil, ownership.Off
	}
	return found.index, ownership.Mode(found.config.Orphans.Neighbours)
}
