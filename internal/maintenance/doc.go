// Package maintenance is what every kind of job shares that works on a living
// table: one that a catalog has, that others read and commit to meanwhile, and
// whose catalog is asked over REST.
//
// A kind is made from a [Config] and takes a [Table] for each job. It loads the
// table, opens its storage, and loads it again before whatever cannot be undone:
//
//	t := maintenance.Take(maintenance.TableConfig{…})
//	defer t.Close()
//	loaded, err := t.Load(ctx)
//	err = t.Open(ctx, loaded, dryRun)
//	… t.Reader, t.Eraser, t.Commit …
//	loaded, err = t.Load(ctx) // what is reached now stays
//
// What is guaranteed: each load is of the table that the job is about, and of no
// other that has its name by now, nor of one whose files belong to others too where
// the kind says that this matters; nothing is written or deleted outside the
// table's own locations, and nothing at all in a dry run; an error says whether
// trying again can help, in the terms of package jobs.
//
// What is not done: it decides neither what to commit nor what to delete, stores no
// checkpoint, and does not repeat a commit: what a conflict means is each kind's
// to know.
package maintenance
