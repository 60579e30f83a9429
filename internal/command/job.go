package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"deckhand/jobs"
)

// OneKind is the Args of a command on one kind of job.
func OneKind(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one kind of job, as in %q; kinds are %v", cmd.CommandPath()+" purge", jobs.Kinds())
	}
	if !jobs.Kind(args[0]).Known() {
		return fmt.Errorf("kind %q is not known; kinds are %v", args[0], jobs.Kinds())
	}
	return nil
}

// maxJobFile is far above what the queue takes.
const maxJobFile = 1 << 20

// ReadJob reads and validates a job of a kind from a JSON file; the path "-" is
// stdin.
func ReadJob(path string, kind jobs.Kind, stdin io.Reader) (*jobs.Job, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read job: %w", err)
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxJobFile))
	if err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	job, err := jobs.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read job from %s: %w", path, err)
	}
	if job.Kind != kind {
		return nil, fmt.Errorf("the job in %s is a %s, not a %s", path, job.Kind, kind)
	}
	return job, nil
}
