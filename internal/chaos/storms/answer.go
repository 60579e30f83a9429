package storms

import (
	"context"
	"errors"
	"time"
)

// electing is how long a storm waits for servers that have lost their leader, or have
// begun a moment ago: a storm that gives up sooner never comes in a rough run.
const electing = 20 * time.Second

var errNoLeader = errors.New("nobody leads the stream")

// untilAnswered asks, for at most 5 s each time, until there is an answer or ctx ends.
// The error is that of the last call.
func untilAnswered(ctx context.Context, ask func(context.Context) error) error {
	for {
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ask(call)
		cancel()
		if err == nil {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}
