package main

import "deckhand/internal/chaos/storms"

// profile is a fleet and the storms that it meets.
type profile struct {
	name string
	// nodes are the NATS servers.
	nodes int
	// disk: the server's is small, and full now and then.
	disk bool
	// Two fronts: workersMeet are the storms of one, brokersMeet those of the other,
	// which are about NATS and the store.
	workersMeet, brokersMeet []storms.Kind
}

var (
	single = profile{name: "single", nodes: 1, workersMeet: storms.OfWorkers, brokersMeet: []storms.Kind{
		storms.KillNATS, storms.KillNATS, storms.KillNATSAtAck, storms.KillNATSAtAck, storms.RestartNATS,
		storms.LosePower, storms.FillStreams, storms.Brownout, storms.Brownout,
	}}
	// For 4 to 6 seconds nobody answers when the leader of JOBS is gone.
	cluster = profile{name: "cluster", nodes: 3, workersMeet: storms.OfWorkers, brokersMeet: []storms.Kind{
		storms.KillLeader, storms.KillLeader, storms.KillLeader, storms.KillNATSAtAck, storms.KillNATSAtAck,
		storms.RestartNATS, storms.FillStreams, storms.Brownout,
	}}
	disk = profile{
		name: "disk", nodes: 1, disk: true, workersMeet: []storms.Kind{storms.KillWorker, storms.StallWorker},
		brokersMeet: []storms.Kind{storms.FillDisk, storms.FillDisk, storms.FillDisk, storms.KillNATSAtAck},
	}
)

// choices are the values of -profile.
var choices = map[string][]profile{
	"single": {single}, "cluster": {cluster}, "disk": {disk}, "both": {single, cluster}, "all": {single, cluster, disk},
}
