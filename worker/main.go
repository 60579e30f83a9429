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
	root := command.NewRoot("worker", "Deletes the files of dropped Iceberg tables, and maintains those that live", `worker runs Deckhand's jobs: it takes them from NATS JetStream, deletes the
files of dropped Iceberg tables in the right order, expires snapshots, removes orphan
files and rewrites manifests of those that live, and records a receipt.

Try it on one machine, without anything else installed:

    worker run --embedded --config deckhand.yaml

where deckhand.yaml says which catalogs it may touch:

    catalogs:
      lake:
        locations: [s3://warehouse/]
        purge: { verify: off }   # with a catalog to ask, give its rest section instead

In another terminal, "worker status" shows what is queued and running, and
"producer submit" queues a job.

Every flag can be given as DECKHAND_<FLAG> in the environment; flags win over the
environment, that over the configuration file.`, version)
	root.AddCommand(newRun(), newSetup(), newExec(), newStatus(), newDead(), newCancel(), newSweep(), newDoctor())
	return root
}
