package orphans

import (
	"strings"

	"deckhand/internal/receipt"
)

// guess is what a file seems to be, from its name: nothing names it that would
// tell.
type guess uint8

// guesses are the kinds that names tell apart.
var guesses = [...]receipt.Kind{
	receipt.Data, receipt.PositionDeletes, receipt.EqualityDeletes, receipt.DeletionVectors, receipt.Manifests,
	receipt.ManifestLists, receipt.Statistics, receipt.PartitionStatistics, receipt.MetadataFiles,
}

const (
	guessData guess = iota
	guessPositionDeletes
	guessEqualityDeletes
	guessDeletionVector
	guessManifest
	guessManifestList
	guessStatistics
	guessPartitionStatistics
	guessMetadata
)

func (g guess) kind() receipt.Kind { return guesses[g] }

// isMetadataFile knows root metadata files, also compressed ones by both of their
// names.
func isMetadataFile(name string) bool {
	return strings.HasSuffix(name, ".metadata.json") || strings.HasSuffix(name, ".metadata.json.gz")
}

// guessOf goes by the names that Iceberg's libraries give: SnapshotProducer,
// OutputFileFactory and the writers of Spark, Flink, Trino, PyIceberg and
// iceberg-go.
func guessOf(key string) guess {
	name := key[strings.LastIndexByte(key, '/')+1:]
	switch {
	case isMetadataFile(name), name == "version-hint.text":
		return guessMetadata
	case strings.HasSuffix(name, ".avro") && strings.HasPrefix(name, "snap-"):
		return guessManifestList
	case strings.HasSuffix(name, ".avro") && isManifestName(name):
		return guessManifest
	case strings.HasPrefix(name, "partition-stats-"):
		return guessPartitionStatistics
	case strings.HasSuffix(name, ".stats"):
		return guessStatistics
	case strings.HasSuffix(name, ".puffin"):
		if strings.HasSuffix(key[:len(key)-len(name)], "/metadata/") {
			return guessStatistics
		}
		return guessDeletionVector
	case strings.Contains(name, "-eq-deletes") || strings.Contains(name, "equality"):
		return guessEqualityDeletes
	case strings.Contains(name, "-deletes") || strings.Contains(name, "-delete-") || strings.HasPrefix(name, "delete-"):
		return guessPositionDeletes
	}
	return guessData
}

// isManifestName knows <uuid>-m<number>.avro.
func isManifestName(name string) bool {
	name = strings.TrimSuffix(name, ".avro")
	at := strings.LastIndex(name, "-m")
	if at < 0 || at+2 == len(name) {
		return false
	}
	for _, c := range []byte(name[at+2:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
