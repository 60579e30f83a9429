package main

import (
	"os"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version string

func main() { os.Exit(command.Main(newRoot())) }

func newRoot() *cobra.Command {
	root := command.NewRoot("producer", "Puts jobs into Deckhand's queue", `producer publishes jobs to NATS JetStream; workers run them.

Queue the purge of a dropped table and wait until it is done:

    producer submit purge --catalog lake --table sales.orders \
        --table-uuid 6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c \
        --metadata-location s3://warehouse/sales/orders/metadata/00012-a.metadata.json \
        --wait

Show the purges that a stock Polaris with PostgreSQL never finished:

    producer rescue --config deckhand.yaml --database postgres://polaris@db/polaris

NATS is looked for at nats://127.0.0.1:4222 unless --nats-url, NATS_URL or a
context of the nats tool say otherwise.

Every flag can be given as DECKHAND_<FLAG> in the environment; flags win over the
environment, that over the configuration file.`, version)
	root.AddCommand(newRun(), newOnce(), newExplain(), newSubmit(), newRescue())
	return root
}
