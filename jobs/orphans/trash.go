package orphans

import "context"

func (r *run) moveAll(ctx context.Context, round []candidate) error { return nil }

func (r *run) emptyTrash(ctx context.Context) error { return nil }
