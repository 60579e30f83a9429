package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options of the command.
type options struct {
	seed     uint64
	duration time.Duration
	profile  string
	without  string
	folder   string
	keep     bool
}

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the plan (default: another one each time)")
	flag.DurationVar(&o.duration, "duration", time.Minute, "how long it storms, in each profile; longer until each storm was met")
	flag.StringVar(&o.profile, "profile", "both", "single: one NATS server; cluster: three; disk: one whose disk is full now and then; both: single and cluster; all")
	flag.StringVar(&o.without, "without", "", "leave out a part of the protocol, lease or watchdog, and fail unless that is noticed; nothing: the same storms, and fail if anything is noticed")
	flag.StringVar(&o.folder, "folder", filepath.Join("build", "chaos"), "folder for programs, histories and logs")
	flag.BoolVar(&o.keep, "keep", false, "keep the history and the logs also when all is well")
	flag.Parse()
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) //nolint:gosec // a seed may be any number
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // iceberg-go's remarks about what writers do
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nchaos failed: %v\nagain: go run ./internal/chaos -seed %d -duration %s -profile %s%s\n", err, o.seed, o.duration, o.profile, o.leftOut())
		os.Exit(1)
	}
}

func (o options) leftOut() string {
	if o.without == "" {
		return ""
	}
	return " -without " + o.without
}

func (o options) run(ctx context.Context) error {
	played, known := choices[o.profile]
	if !known {
		return fmt.Errorf("there is no profile %q; there are single, cluster, disk, both and all", o.profile)
	}
	bin := filepath.Join(o.folder, "bin")
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if o.without != "" {
		bin = filepath.Join(bin, o.without)
		if err := os.MkdirAll(bin, 0o750); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	fmt.Printf("chaos: seed %d, %s%s\n", o.seed, o.duration, o.leftOut())
	built, err := build(ctx, bin, o.without)
	if err != nil {
		return err
	}
	var failures []error
	for _, p := range played {
		if ctx.Err() == nil {
			failures = append(failures, o.round(ctx, built, p))
		}
	}
	return errors.Join(failures...)
}
