package main

import (
	"slices"

	"deckhand/internal/chaos/storms"
)

// profile is a fleet and the storms that it meets.
type profile struct {
	name string
	// nodes are the NATS servers.
	nodes int
	// disk: the server's is small, and full now and then.
	disk  bool
	kinds []storms.Kind
}

var (
	single = profile{name: "single", nodes: 1, kinds: storms.All}
	// Of a cluster the leader of JOBS is killed more often than a single server is:
	// for 4 to 6 seconds nobody answers then.
	cluster = profile{name: "cluster", nodes: 3, kinds: append(slices.Repeat([]storms.Kind{storms.KillNATS}, 3), storms.All...)}
	disk    = profile{name: "disk", nodes: 1, disk: true, kinds: []storms.Kind{
		storms.FillDisk, storms.FillDisk, storms.FillDisk, storms.KillWorker, storms.StallWorker, storms.KillNATSAtAck,
	}}
)

// choices are the values of -profile.
var choices = map[string][]profile{
	"single": {single}, "cluster": {cluster}, "disk": {disk}, "both": {single, cluster}, "all": {single, cluster, disk},
}
