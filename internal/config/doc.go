// Package config is what both binaries can be told: one [Config], decoded
// strictly from YAML and overlaid by the environment and by flags.
//
// A setting is taken from the first of these that has it:
//
//	flag            --nats-url
//	environment     DECKHAND_NATS_URL, then NATS_URL and the like
//	YAML file       nats: { url: … }
//	default         documented at the field
//
// What it guarantees: an unknown, doubled or mistyped key is an error with its
// line and the nearest known key; a mistake in a value is named by its field; a
// secret is printed nowhere; paths in the file are relative to the file.
//
// What it does not do: it opens no connection and no store.
package config
