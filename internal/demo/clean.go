package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"deckhand/internal/policy"
	"deckhand/internal/standin"
	"deckhand/jobs"
	"deckhand/jobs/manifests"
	"deckhand/jobs/orphans"
)

// Policies of the demo: every commit makes a rewriting of manifests due, and files
// that nothing names are deleted when they are three days old.
const (
	fewManifests = `{"version":"2025-02-03","enable":true,"config":{"min-commits":1}}`
	noOrphans    = `{"version":"2025-02-03","enable":true,"max_orphan_file_age_in_days":3}`
)

// litter are files in a table's folder that nothing of the table names.
type litter struct {
	// old and lies long enough to be an orphan, young does not.
	old, young string
}

// leave what writers leave that were killed before they committed.
func (l *living) leave() (litter, error) {
	folder := filepath.Join(l.s.warehouse, "sales", "returns", "data", "region=south")
	left := litter{old: filepath.Join(folder, "00000-killed-last-week.parquet"), young: filepath.Join(folder, "00000-still-at-work.parquet")}
	errs := []error{os.MkdirAll(folder, 0o750)}
	for path, age := range map[string]time.Duration{left.old: 7 * 24 * time.Hour, left.young: time.Minute} {
		at := time.Now().Add(-age)
		errs = append(errs, os.WriteFile(path, []byte(strings.Repeat("rows that were never committed\n", 1000)), 0o600), os.Chtimes(path, at, at))
	}
	if err := errors.Join(errs...); err != nil {
		return left, fmt.Errorf("leave files: %w", err)
	}
	return left, nil
}

// cleanByPolicy shows that a table's manifests become few and that files go which
// nothing names.
func (l *living) cleanByPolicy(ctx context.Context, before map[string]int64) error {
	s := l.s
	step("Two more policies: few manifests, and no files that nothing names")
	left, err := l.leave()
	if err != nil {
		return err
	}
	detail("a writer was killed a week ago and left %s; another is at work right now", filepath.Base(left.old))
	for _, wanted := range []struct {
		kind          policy.Kind
		name, content string
	}{{jobs.Manifests, "few-manifests", fewManifests}, {jobs.Orphans, "no-orphans", noOrphans}} {
		p := standin.Policy{Catalog: "lake", Namespace: []string{"sales"}, Name: wanted.name, Type: policy.Type(wanted.kind), Content: wanted.content}
		detail("%s %s", p.Type, wanted.content)
		if err := errors.Join(s.catalog.PutPolicy(p), s.catalog.Attach(p, standin.Target{Namespace: []string{"sales"}})); err != nil {
			return fmt.Errorf("attach policy: %w", err)
		}
	}
	if err := s.showProducer(ctx, "once", "--config", s.config); err != nil {
		return err
	}

	step("Two jobs of one table run one after the other, under its lease")
	rewritten := &manifests.Receipt{}
	if err := s.showResult(ctx, l.tail(jobs.Manifests), rewritten); err != nil {
		return err
	}
	if err := s.showResult(ctx, l.tail(jobs.Orphans), &orphans.Receipt{}); err != nil {
		return err
	}
	switch after, err := l.rows(ctx); {
	case err != nil:
		return err
	case !maps.Equal(before, after):
		return fmt.Errorf("%s reads %v rows, and had %v", l.name, after, before)
	case rewritten.After.Files >= rewritten.Before.Files:
		return fmt.Errorf("%s has %d manifests, and had %d", l.name, rewritten.After.Files, rewritten.Before.Files)
	case exists(left.old):
		return fmt.Errorf("%s is still there", left.old)
	case !exists(left.young):
		return fmt.Errorf("%s was deleted, and is a minute old", left.young)
	}
	detail("checked: %d manifests are %d; %s is gone, the file of the writer at work is not; rows as before: %s",
		rewritten.Before.Files, rewritten.After.Files, filepath.Base(left.old), listRows(before))
	return nil
}
