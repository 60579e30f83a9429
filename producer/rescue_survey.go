package main

import (
	"context"
	"fmt"
	"time"

	"deckhand/internal/metastore"
)

// stranded is a dropped table or view of which rows are left.
type stranded struct {
	// entity is Polaris' id of it.
	realm, entity string
	// dropped is its own row; nil if only those of sub-tasks are left.
	dropped *metastore.Dropped
	remains []*metastore.Remains
}

func (t *stranded) name() string {
	if t.dropped != nil {
		return t.dropped.Name()
	}
	return t.remains[0].Name()
}

func (t *stranded) rows() []*metastore.Task {
	var rows []*metastore.Task
	if t.dropped != nil {
		rows = append(rows, t.dropped.Task)
	}
	for _, r := range t.remains {
		rows = append(rows, r.Task)
	}
	return rows
}

// written is when the youngest of the rows was touched.
func (t *stranded) written() (youngest time.Time) {
	for _, row := range t.rows() {
		if row.Written.After(youngest) {
			youngest = row.Written
		}
	}
	return youngest
}

// unusable is a row of ours that no job can be made of.
type unusable struct {
	metastore.Unusable
	task *metastore.Task
	name string
}

// found is what a metastore holds.
type found struct {
	now      time.Time
	catalogs *metastore.Catalogs
	living   *metastore.Living
	tables   []*stranded
	unusable []unusable
	// stuck are the unusable rows by the realm and entity of their table. Without
	// such a row, what it names would be lost with the table's other files.
	stuck map[[2]string]unusable
	// foreign counts the rows that are not ours, by what they are.
	foreign map[string]int
	rows    int
}

// survey reads all tasks and puts those of one table together.
func survey(ctx context.Context, store *metastore.Store, realm string) (*found, error) {
	f := &found{foreign: map[string]int{}, stuck: map[[2]string]unusable{}}
	var err error
	if f.now, err = store.Now(ctx); err != nil {
		return nil, err
	}
	if f.catalogs, err = store.Catalogs(ctx); err != nil {
		return nil, err
	}
	tables := map[[2]string]*stranded{}
	table := func(realm, entity string) *stranded {
		key := [2]string{realm, entity}
		if tables[key] == nil {
			tables[key] = &stranded{realm: realm, entity: entity}
			f.tables = append(f.tables, tables[key])
		}
		return tables[key]
	}
	for task, err := range store.Tasks(ctx, realm) {
		if err != nil {
			return nil, err
		}
		f.rows++
		switch content := task.Content().(type) {
		case *metastore.Dropped:
			t := table(task.Realm, fmt.Sprint(content.EntityID))
			if t.dropped != nil { // names are unique, so this takes a hand at the database
				t = &stranded{realm: t.realm, entity: t.entity}
				f.tables = append(f.tables, t)
			}
			t.dropped = content
		case *metastore.Remains:
			t := table(task.Realm, content.Entity)
			t.remains = append(t.remains, content)
		case metastore.Foreign:
			f.foreign[content.What]++
		case metastore.Unusable:
			row := unusable{content, task, task.Name}
			f.unusable = append(f.unusable, row)
			f.stuck[[2]string{task.Realm, task.Entity()}] = row
		}
	}
	// After the tasks, so that it is as fresh as can be.
	if f.living, err = store.Living(ctx); err != nil {
		return nil, err
	}
	return f, nil
}
