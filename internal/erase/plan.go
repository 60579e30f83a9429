package erase

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"deckhand/internal/table"
)

// Plan identifies a list of manifests, with all the settings that decide when
// a manifest of it is done, and gives the stride of what is stored of it: how many
// manifests share a bit, so that what is done never takes more than 5 KiB. It means
// nothing under another plan.
func Plan(manifests []*table.Manifest, settings ...string) (plan uint64, stride int) {
	stride = max(1, (len(manifests)+maxDoneBits-1)/maxDoneBits)
	digest := xxhash.New()
	var length [8]byte
	write := func(text string) {
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		_, _ = digest.Write(length[:])
		_, _ = digest.WriteString(text)
	}
	for _, setting := range settings {
		write(setting)
	}
	for _, m := range manifests {
		write(m.Path)
	}
	return digest.Sum64(), stride
}
