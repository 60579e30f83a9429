package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs/purge"
)

// patience is how long a purge of the demo may take on a busy machine.
const patience = 2 * time.Minute

// purgeUndisturbed shows one purge from the drop to the receipt.
func purgeUndisturbed(ctx context.Context, s *stage) error {
	step("Write a table with iceberg-go: snapshots, a branch, position and equality deletes")
	table, err := s.writeTable(ctx, "sales.orders", icebergtable.Options{
		Files: 300, Snapshots: 8, Partitioned: true, Branch: true, PositionDeletes: true, EqualityDeletes: true, Statistics: true,
	})
	if err != nil {
		return err
	}
	table.describe()

	step("Start a worker, with a NATS JetStream inside it")
	if err := s.start(ctx); err != nil {
		return err
	}

	step("DROP TABLE %s PURGE: the catalog forgets the table and queues a job", table.name)
	detail("(purges are paused for a moment, so that you can see the job wait)")
	if err := s.pausePurges(ctx); err != nil {
		return fmt.Errorf("pause purges: %w", err)
	}
	if err := s.submit(ctx, table); err != nil {
		return err
	}
	if err := s.showQueue(ctx); err != nil {
		return err
	}

	detail("A job is queued only once. A second producer finds it there, and waits for its end:")
	command("producer submit purge … --wait")
	waiting, err := s.startProducer(ctx, table.submit("--wait")...)
	if err != nil {
		return err
	}
	quote(waiting.first)

	step("The worker deletes the files, leaf first, root last")
	seen := watch(table)
	if err := s.resumePurges(ctx); err != nil {
		return fmt.Errorf("resume purges: %w", err)
	}
	if err := seen.follow(ctx, patience); err != nil {
		return errors.Join(err, fmt.Errorf("the worker's log ends with:\n%s", s.lastLog(10)))
	}
	detail("gone after: %s", seen.timeline())

	step("The receipt, as the waiting producer prints it")
	receipt, err := waiting.rest()
	if err != nil {
		return err
	}
	quote(receipt)
	return s.verify(ctx, table)
}

// purgeAcrossAKill shows that a purge survives its worker.
func purgeAcrossAKill(ctx context.Context, s *stage, files int) error {
	step("Once more, with a bigger table, and the worker is killed half-way")
	table, seen, killed, err := s.killHalfWay(ctx, files)
	if err != nil {
		return err
	}
	command("kill -9 " + strconv.Itoa(killed))
	detail("The worker is gone, and the NATS inside it. Left: %s.", seen.counts())
	detail("No manifest was touched yet, so whoever goes on can read what is left to delete.")

	step("A second worker takes over. The lease of the dead one lasts %s here (2m by default)", ackWait)
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := seen.follow(ctx, patience); err != nil {
		return errors.Join(err, fmt.Errorf("the worker's log ends with:\n%s", s.lastLog(10)))
	}
	detail("gone %s after the kill", brief(time.Since(seen.from)))

	step("Its receipt counts what both workers did, and lies in the stream RESULTS")
	if err := s.showResult(ctx, table.tail(), &purge.Receipt{}); err != nil {
		return err
	}
	return s.verify(ctx, table)
}

// killHalfWay submits a purge and kills the worker while files are going. When a
// quick machine was done before, it tries again with a bigger table.
func (s *stage) killHalfWay(ctx context.Context, files int) (d *dropped, seen *levels, pid int, err error) {
	for try := range 3 {
		table, err := s.writeTable(ctx, fmt.Sprintf("sales.events%s", strings.Repeat("2", try)), icebergtable.Options{
			Files: files << try, Distinct: 100, Snapshots: 40, Partitioned: true, Branch: true, PositionDeletes: true,
		})
		if err != nil {
			return nil, nil, 0, err
		}
		table.describe()
		if err := s.submit(ctx, table); err != nil {
			return nil, nil, 0, err
		}
		if err := awaitHalf(ctx, table); err != nil {
			return nil, nil, 0, errors.Join(err, fmt.Errorf("the worker's log ends with:\n%s", s.lastLog(10)))
		}
		pid := s.kill()
		seen := watch(table)
		if err := seen.look(); err != nil {
			return nil, nil, 0, err
		}
		if len(seen.left[0]) > 0 {
			return table, seen, pid, nil
		}
		detail("this machine was quicker: nothing is left to resume. Again, with twice as many files")
		if err := s.start(ctx); err != nil {
			return nil, nil, 0, err
		}
	}
	return nil, nil, 0, errors.New("three times the purge was over before the worker could be killed; try -files 200000")
}

// awaitHalf waits until a third of the data files is gone: by the time the signal
// arrives it is more. It looks at one file of a hundred, to be quick.
func awaitHalf(ctx context.Context, d *dropped) error {
	var sample []string
	for i, f := range d.Files {
		if levelOf(d, f) == 0 && i%97 == 0 {
			sample = append(sample, f.Path)
		}
	}
	for started, all := time.Now(), len(sample); ; {
		if sample = remaining(sample); len(sample) < all*2/3 {
			return nil
		}
		if time.Since(started) > patience {
			return errors.New("the worker does not begin to delete")
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// submit queues the purge of a table and shows how.
func (s *stage) submit(ctx context.Context, table *dropped) error {
	command("producer " + strings.Join(table.submit(), " "))
	answer, err := s.produce(ctx, table.submit()...)
	if err != nil {
		return err
	}
	quote(answer)
	return nil
}

func (s *stage) verify(ctx context.Context, table *dropped) error {
	if err := table.verifyGone(); err != nil {
		return err
	}
	return s.queueIsEmpty(ctx)
}
