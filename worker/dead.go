package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"deckhand/internal/command"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

func newDead() *cobra.Command {
	return command.Group("dead", "Look at the jobs that failed for good, and requeue or drop them",
		`A job that cannot succeed until someone changes something becomes a dead letter:
a copy of the job, and why it died. Mend the cause, then requeue it.

A job is named by what follows dead. or jobs. in its subject, as "dead ls" prints
it. NATS wildcards (* and >) name several.

Exit codes of its commands: 0 done, also where nothing is dead; 1 NATS cannot be
reached, there is no such letter, or one of several failed; 2 bad input.`,
		newDeadList(), newDeadShow(), newDeadRequeue(), newDeadDrop())
}

func newDeadList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls [PATTERN]",
		Short: "List dead letters, oldest first",
		Example: `  worker dead ls
  worker dead ls 'purge.POLARIS.lake.>'
  worker dead ls --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			return errors.Join(cobra.MaximumNArgs(1)(cmd, args), areSubjects(args))
		},
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			c, err := openQueue(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer c.close()
			letters, err := deadLetters(cmd.Context(), c.queue, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Out, letters, true)
			}
			return printLetters(s, letters)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// deadLetters collects the letters of a pattern; "" is all. It is never nil.
func deadLetters(ctx context.Context, q *queue.Queue, pattern string) ([]*queue.DeadLetter, error) {
	letters := []*queue.DeadLetter{}
	for letter, err := range q.DeadLetters(ctx, tailOf(pattern)) {
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// tailOf cuts the stream's prefix off a subject, so that people can paste either.
func tailOf(subject string) string {
	for _, prefix := range []string{jobs.SubjectPrefix, jobs.DeadSubjectPrefix, jobs.ResultSubjectPrefix} {
		if tail, found := strings.CutPrefix(subject, prefix); found {
			return tail
		}
	}
	return subject
}

func isPattern(tail string) bool { return strings.ContainsAny(tail, "*>") }

func printLetters(s *command.Session, letters []*queue.DeadLetter) error {
	if len(letters) == 0 {
		fmt.Fprintln(s.Err, "no dead letters")
		return nil
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DIED\tATTEMPTS\tJOB\tREASON")
	for _, letter := range letters {
		fmt.Fprintf(table, "%s ago\t%d\t%s\t%s\n", age(time.Since(letter.Time.Time)), letter.Attempts, command.Clean(letter.Tail), shorten(why(letter), 120))
	}
	return flushTable(table)
}

// why is the reason, and the error where that says more: a reason mostly ends
// with the error's own words.
func why(letter *queue.DeadLetter) string {
	if more := newWords(letter); more != "" {
		return letter.Reason + ": " + more
	}
	return letter.Reason
}

// newWords is the error of a letter, "" if the reason repeats it.
func newWords(letter *queue.DeadLetter) string {
	if strings.HasSuffix(letter.Reason, letter.Error) {
		return ""
	}
	return letter.Error
}

func newDeadShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show JOB",
		Short:   "Show a dead letter, the job in it, and how far it had got",
		Example: `  worker dead show purge.POLARIS.lake.sales.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c`,
		Args:    oneJob,
		RunE: command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
			c, err := openQueue(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer c.close()
			letter, err := c.queue.DeadLetter(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Out, shownLetter(letter), true)
			}
			return printLetter(s, letter)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// letterJSON is a letter with what it holds. A body that is not JSON, which may
// be why it died, is a text.
type letterJSON struct {
	*queue.DeadLetter
	Body       any             `json:"body"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
}

func shownLetter(letter *queue.DeadLetter) letterJSON {
	shown := letterJSON{DeadLetter: letter, Body: string(letter.Body)}
	if json.Valid(letter.Body) {
		shown.Body = json.RawMessage(letter.Body)
	}
	if json.Valid(letter.Checkpoint) {
		shown.Checkpoint = letter.Checkpoint
	}
	return shown
}

func printLetter(s *command.Session, letter *queue.DeadLetter) error {
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"job", letter.Tail}, {"reason", letter.Reason}, {"error", newWords(letter)},
		{"attempts", fmt.Sprint(letter.Attempts)}, {"worker", letter.Worker},
		{"died", fmt.Sprintf("%s (%s ago)", letter.Time.Format(time.RFC3339), age(time.Since(letter.Time.Time)))},
		{"letter", fmt.Sprintf("%s, number %d in DEAD", letter.Subject, letter.Sequence)},
		{"body", string(letter.Body)}, {"checkpoint", string(letter.Checkpoint)},
	} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], command.Clean(line[1]))
		}
	}
	return flushTable(table)
}

func newDeadRequeue() *cobra.Command {
	return &cobra.Command{
		Use:   "requeue JOB...",
		Short: "Queue dead jobs again; they go on where they were",
		Long: `Publishes the job again, waits until it is stored, then removes the letter. If a
job on the same subject is queued already, the letter stays.`,
		Example: `  worker dead requeue purge.POLARIS.lake.sales.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c
  worker dead requeue 'purge.POLARIS.lake.>'`,
		Args: someJobs,
		RunE: eachLetter(func(ctx context.Context, s *command.Session, q *queue.Queue, tail string) error {
			publication, err := q.Requeue(ctx, tail)
			if err != nil {
				return err
			}
			if publication.State == jobs.AlreadyQueued {
				fmt.Fprintf(s.Out, "already queued, the letter stays  %s\n", command.Clean(tail))
				return nil
			}
			fmt.Fprintf(s.Out, "queued  %s\n", command.Clean(tail))
			return nil
		}),
	}
}

func newDeadDrop() *cobra.Command {
	return &cobra.Command{
		Use:   "drop JOB...",
		Short: "Remove dead letters; their jobs are then forgotten",
		Long: `Removes the newest letter of each job. What the job had not deleted stays, and
nothing will come back for it.`,
		Example: `  worker dead drop purge.POLARIS.lake.sales.orders.6f1c2c1e-9f3c-4a5e-8d7f-0b1d5c1a2b3c`,
		Args:    someJobs,
		RunE: eachLetter(func(ctx context.Context, s *command.Session, q *queue.Queue, tail string) error {
			if err := q.Drop(ctx, tail); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "dropped  %s\n", command.Clean(tail))
			return nil
		}),
	}
}

// eachLetter does something with each dead letter that the arguments name. One
// that fails does not keep the others from being done.
func eachLetter(do func(ctx context.Context, s *command.Session, q *queue.Queue, tail string) error) func(*cobra.Command, []string) error {
	return command.Action(func(cmd *cobra.Command, s *command.Session, args []string) error {
		c, err := openQueue(cmd.Context(), s)
		if err != nil {
			return err
		}
		defer c.close()
		var errs []error
		for _, arg := range args {
			tails, err := expand(cmd.Context(), c.queue, tailOf(arg))
			errs = append(errs, err)
			for _, tail := range tails {
				errs = append(errs, do(cmd.Context(), s, c.queue, tail))
			}
		}
		return errors.Join(errs...)
	})
}

// expand lists the tails that a pattern names, each once.
func expand(ctx context.Context, q *queue.Queue, tail string) ([]string, error) {
	if !isPattern(tail) {
		return []string{tail}, nil
	}
	letters, err := deadLetters(ctx, q, tail)
	if err != nil {
		return nil, err
	}
	var tails []string
	seen := map[string]bool{}
	for _, letter := range letters {
		if !seen[letter.Tail] {
			seen[letter.Tail] = true
			tails = append(tails, letter.Tail)
		}
	}
	if len(tails) == 0 {
		return nil, fmt.Errorf("%w matches %s; see \"worker dead ls\"", queue.ErrNoDeadLetter, tail)
	}
	return tails, nil
}

func oneJob(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || isPattern(args[0]) {
		return fmt.Errorf("name one job, by its subject; see \"%s --help\"", cmd.CommandPath())
	}
	return areSubjects(args)
}

func someJobs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a job by its subject, or several by a pattern; see \"%s --help\"", cmd.CommandPath())
	}
	return areSubjects(args)
}

// areSubjects refuses what cannot be a subject of NATS, which the server would
// only answer with a riddle.
func areSubjects(args []string) error {
	for _, arg := range args {
		if slices.Contains(strings.Split(arg, "."), "") || strings.ContainsFunc(arg, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			return fmt.Errorf("%q is not the subject of a job; copy one from \"worker status\", each as an argument of its own", arg)
		}
	}
	return nil
}
