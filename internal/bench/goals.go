package main

// Goal is what a figure has to reach. Exactly one of the limits is set.
type Goal struct {
	// Benchmark is the name without "Benchmark" and without the last part:
	// "ManifestRead/wide".
	Benchmark string
	// Metric is the unit of the figure: "ns/op", "jobs/s".
	Metric string
	// Rival that Ratio speaks of: the last part of its benchmark's name. Empty: the
	// first that was measured.
	Rival string
	// Ratio is how many times better than the rival the figure has to be.
	Ratio float64
	// Max is the most that the figure may be, Min the least.
	Max, Min *float64
}

func most(v float64) *float64 { return &v }

// goals are the promises on speed and memory, ordered as they are printed.
var goals = []Goal{
	{Benchmark: "ManifestRead/wide", Metric: "ns/op", Ratio: 4},
	{Benchmark: "ManifestRead/narrow", Metric: "ns/op", Ratio: 8},
	// A manifest of 20,000 entries: what is allocated is per file and per block.
	{Benchmark: "ManifestRead/wide", Metric: "allocs/op", Max: most(1_000)},
	{Benchmark: "ManifestRead/narrow", Metric: "allocs/op", Max: most(1_000)},
	{Benchmark: "Purge/20ms", Metric: "ns/op", Rival: "iceberg-go", Ratio: 50},
	{Benchmark: "Purge/20ms", Metric: "ns/op", Rival: "iceberg-java", Ratio: 5},
	{Benchmark: "Purge/0ms", Metric: "ns/op", Rival: "iceberg-java", Ratio: 1},
	// Of a table of 1,000 files.
	{Benchmark: "Purge/20ms", Metric: "files/s", Rival: "pyiceberg", Ratio: 100},
	{Benchmark: "Purge/20ms", Metric: "surplus-requests", Max: most(0)},
	// A million files in 200 manifests, beside the time of the same DeleteObjects alone.
	{Benchmark: "PurgeMillion/20ms", Metric: "requests/1000-files", Max: most(1.1)},
	{Benchmark: "PurgeMillion/20ms", Metric: "x-deletes-alone", Max: most(2)},
	// The same, killed when nine tenths are deleted.
	{Benchmark: "PurgeResume", Metric: "%-repeated", Max: most(1)},
	// Of linear speed-up, each worker with two DeleteObjects of 400 ms in flight.
	{Benchmark: "PurgeShards/workers=2", Metric: "%-of-linear", Min: most(85)},
	{Benchmark: "PurgeShards/workers=4", Metric: "%-of-linear", Min: most(85)},
	{Benchmark: "PurgeShards/workers=8", Metric: "%-of-linear", Min: most(85)},
	// Resident memory of a worker that purges ten million files in one job.
	{Benchmark: "PurgeProcess", Metric: "peak-MiB", Max: most(150)},
	{Benchmark: "PurgeMemory/many-manifests", Metric: "peak-MiB", Max: most(64)},
	{Benchmark: "PurgeMemory/one-manifest", Metric: "peak-MiB", Max: most(64)},
	// Iceberg's Java library took 7.6 s for the same table and latency, Spark 39 s.
	{Benchmark: "Expire/many-snapshots", Metric: "ns/op", Max: most(1.5e9)},
	{Benchmark: "Expire/many-snapshots", Metric: "ns/op", Ratio: 10},
	{Benchmark: "Expire/many-entries", Metric: "ns/op", Ratio: 10},
	// Spark took 10.4 s for the same table and latency.
	{Benchmark: "Orphans/20ms", Metric: "ns/op", Max: most(2.08e9)},
	{Benchmark: "Orphans/20ms", Metric: "ns/op", Ratio: 5},
	{Benchmark: "OrphansMemory", Metric: "peak-MiB", Max: most(128)},
	// A thousand manifests of 50 entries each. Iceberg's Java library took 14.9 s for
	// the same table and latency and 5.4 CPU seconds, Spark 33.3 s.
	{Benchmark: "Manifests/many-manifests-20ms", Metric: "ns/op", Max: most(3.7e9)},
	{Benchmark: "Manifests/many-manifests-20ms", Metric: "ns/op", Ratio: 4},
	{Benchmark: "Manifests/many-manifests-20ms", Metric: "cpu-s/op", Max: most(5.4)},
	// A million entries, of which no manifest is in order.
	{Benchmark: "ManifestsMemory/many-entries", Metric: "peak-MiB", Max: most(320)},
	// Ten thousand tables: an answer without a body for each, and no more.
	{Benchmark: "Scan/unchanged", Metric: "peak-MiB", Max: most(100)},
	{Benchmark: "Scan/unchanged", Metric: "loads", Max: most(10_000)},
	{Benchmark: "Scan/unchanged", Metric: "policy-calls", Max: most(0)},
	{Benchmark: "Protocol", Metric: "jobs/s", Ratio: 0.4},
	// A store that takes 200 requests a second.
	{Benchmark: "Throttled/workers=1", Metric: "%-of-limit", Min: most(80)},
	{Benchmark: "Throttled/workers=1", Metric: "%-refused", Max: most(2)},
	{Benchmark: "Throttled/workers=8", Metric: "%-of-limit", Min: most(80)},
	{Benchmark: "Throttled/workers=8", Metric: "%-refused", Max: most(2)},
	{Benchmark: "Throttled/workers=8", Metric: "most/least", Max: most(2)},
}
