package storage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// gcsRewrite is the answer to a step of a copy. Source: "Objects: rewrite" in the
// reference of the JSON API.
type gcsRewrite struct {
	Done     bool      `json:"done"`
	Token    string    `json:"rewriteToken"`
	Resource gcsObject `json:"resource"`
}

var _ copier = (*gcsBucket)(nil)

func (b *gcsBucket) move(ctx context.Context, m mover, from entry, to string) error {
	for _, key := range []string{from.key, to} {
		if err := gcsHolds(key); err != nil {
			return err
		}
	}
	return moveByCopy(ctx, b, m, from, to)
}

// ask implements [copier].
func (b *gcsBucket) ask(ctx context.Context, m mover, key string) (objectHead, error) {
	var o gcsObject
	err := m.try(ctx, func(ctx context.Context) error {
		var err error
		o, err = b.head(ctx, key)
		return err
	})
	return objectHead{Info: o.info(), sum: o.MD5}, err
}

// copy implements [copier]: the source must be of the generation that was looked at,
// and nothing at the new name. Large objects take several requests.
func (b *gcsBucket) copy(ctx context.Context, m mover, key string, source objectHead, to string) (etag string, err error) {
	query := url.Values{
		"sourceGeneration": {source.ETag}, "ifSourceGenerationMatch": {source.ETag}, "ifGenerationMatch": {"0"},
	}
	for {
		var step gcsRewrite
		err := m.tryCopy(ctx, source.Size, func(ctx context.Context) error {
			step = gcsRewrite{}
			_, err := b.receive(ctx, gcsRequest{
				op: "objects.rewrite", method: http.MethodPost, query: query,
				path: b.objectPath(key) + "/rewriteTo/b/" + gcsEscape(b.name) + "/o/" + gcsEscape(to),
			}, "storage#rewriteResponse", &step)
			return err
		})
		switch {
		case err != nil:
			return "", err
		case step.Done:
			return step.Resource.Generation, nil
		case step.Token == "":
			return "", &Error{Reason: ErrUnavailable, Err: errors.New("the store does not say how the copy goes on")}
		}
		query.Set("rewriteToken", step.Token)
	}
}

// remove implements [copier].
func (b *gcsBucket) remove(ctx context.Context, m mover, key string, source objectHead) error {
	return m.try(ctx, func(ctx context.Context) error {
		return b.deleteObject(ctx, key, url.Values{"ifGenerationMatch": {source.ETag}})
	})
}
