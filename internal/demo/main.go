package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	up := flag.Bool("up", false, "keep a worker running until Ctrl-C")
	polaris := flag.Bool("polaris", false, "drop a table in a real Polaris that has the extension")
	files := flag.Int("files", 12_000, "data files of the table whose worker is killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *polaris {
		err = throughPolaris(ctx)
	} else {
		err = run(ctx, *up, *files)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, up bool, files int) (err error) {
	say("Deckhand: a dropped Iceberg table's files are deleted, and a living one is maintained, end to end.")
	stage, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer func() { stage.end(err) }()
	if up {
		return keepUp(ctx, stage)
	}
	if err := purgeUndisturbed(ctx, stage); err != nil {
		return err
	}
	if err := purgeAcrossAKill(ctx, stage, files); err != nil {
		return err
	}
	if err := maintainByPolicy(ctx, stage); err != nil {
		return err
	}
	say("")
	say("Both dropped tables are gone, their neighbours are untouched, and a living table is smaller.")
	say("`make up` keeps a worker running and prints its address; then look into it with the nats CLI:")
	printTour("ADDRESS", "worker", "FILE")
	return nil
}
