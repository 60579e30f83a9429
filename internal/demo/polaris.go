package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"deckhand/internal/polaristest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/purge"
)

// throughPolaris is the demo with a real Polaris: the table is dropped by a
// request to its REST API, and the extension inside queues the purge.
func throughPolaris(ctx context.Context) (err error) {
	say("Deckhand: DROP TABLE … PURGE in Apache Polaris, and the table's files are deleted elsewhere.")
	home, err := polaristest.Find(ctx, ".")
	if errors.Is(err, polaristest.ErrNone) && os.Getenv("REQUIRE_POLARIS") != "1" {
		say("not shown: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	s, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer func() { s.end(err) }()
	table, err := s.writeTable(ctx, "sales.orders", icebergtable.Options{
		Files: 300, Snapshots: 8, Partitioned: true, Branch: true, PositionDeletes: true, EqualityDeletes: true, Statistics: true,
	})
	if err != nil {
		return err
	}
	step("Start Polaris with the extension")
	started := time.Now()
	server, err := polaristest.Start(ctx, polaristest.Options{Home: home, NATS: s.nats, Log: filepath.Join(s.folder, "polaris.log")})
	if err != nil {
		return err
	}
	defer server.Stop()
	detail("ready after %s at %s; its log is %s", brief(time.Since(started)), server.URL, filepath.Join(s.folder, "polaris.log"))
	step("Start a worker, with a NATS JetStream inside it. It asks that Polaris whether a dropped table lives on")
	if err := s.ask(server); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.purgeThrough(ctx, server, table)
}

// ask has the worker ask a server instead of the stand-in.
func (s *stage) ask(server *polaristest.Server) error {
	config, err := os.ReadFile(s.config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	config = bytes.ReplaceAll(config, []byte(s.catalog.URI()), []byte(server.URL+"/api/catalog"))
	if err := os.WriteFile(s.config, config, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.folder, "credential.txt"), []byte(polaristest.Credential+"\n"), 0o600); err != nil {
		return fmt.Errorf("write credential: %w", err)
	}
	return nil
}

func (s *stage) purgeThrough(ctx context.Context, server *polaristest.Server, table *dropped) error {
	client, err := polaristest.Connect(ctx, server.URL, polaristest.Realm, polaristest.Credential)
	if err != nil {
		return err
	}
	step("Make it known to Polaris: a table with snapshots, a branch, position and equality deletes")
	if err := client.CreateCatalog(ctx, "lake", s.warehouse, "sales"); err != nil {
		return err
	}
	if _, err := client.Register(ctx, "lake", "sales", "orders", table.MetadataLocation); err != nil {
		return err
	}
	table.describe()

	step("DROP TABLE sales.orders PURGE, as every engine asks for it")
	detail("(purges are paused for a moment, so that you can see the job wait)")
	if err := s.pausePurges(ctx); err != nil {
		return fmt.Errorf("pause purges: %w", err)
	}
	command("curl -X DELETE '" + server.URL + "/api/catalog/v1/lake/namespaces/sales/tables/orders?purgeRequested=true'")
	answer, err := client.Purge(ctx, "lake", "sales", "orders")
	if err != nil {
		return err
	}
	detail("%d after %s", answer.Status, brief(answer.Took))
	if err := s.awaitJob(ctx); err != nil {
		return err
	}
	if err := s.showQueue(ctx); err != nil {
		return err
	}

	step("The worker deletes the files, leaf first, root last")
	seen := watch(table)
	if err := s.resumePurges(ctx); err != nil {
		return fmt.Errorf("resume purges: %w", err)
	}
	if err := seen.follow(ctx, patience); err != nil {
		return errors.Join(err, fmt.Errorf("the worker's log ends with:\n%s", s.lastLog(10)))
	}
	detail("gone after: %s", seen.timeline())

	step("The receipt lies in the stream RESULTS")
	if err := s.showResult(ctx, table.tail(), &purge.Receipt{}); err != nil {
		return err
	}
	return s.verify(ctx, table)
}

// awaitJob waits until Polaris has handed a purge over, which it does after it has
// answered.
func (s *stage) awaitJob(ctx context.Context) error {
	for started := time.Now(); s.queueIsEmpty(ctx) == nil; {
		if time.Since(started) > patience {
			return errors.New("no purge comes from Polaris")
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
