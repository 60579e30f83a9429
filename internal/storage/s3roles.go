package storage

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// rolesKept is how many narrowed credentials are kept for further sessions; those
// of a running session are its own.
const rolesKept = 1000

// roles are the credentials of one catalog's role, by the policy that narrows them:
// sessions that may do the same share them.
type roles struct {
	cfg S3Config
	now func() time.Time

	mu      sync.Mutex
	service *tokenService
	known   map[string]*list.Element // of *narrowed, by policy
	recent  list.List                // front: used last
}

type narrowed struct {
	policy string
	keys   *renewal
}

func newRoles(cfg S3Config) *roles {
	return &roles{cfg: cfg, now: time.Now, known: map[string]*list.Element{}}
}

// narrowedTo gives the credentials for a policy.
func (r *roles) narrowedTo(policy string) *renewal {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.known[policy]; found != nil {
		r.recent.MoveToFront(found)
		return found.Value.(*narrowed).keys
	}
	ask := func(ctx context.Context) (S3Credentials, error) {
		service, err := r.open(ctx)
		if err != nil {
			return S3Credentials{}, err
		}
		return service.assume(ctx, policy)
	}
	fresh := &narrowed{policy: policy, keys: newRenewal(ask, r.now)}
	r.known[policy] = r.recent.PushFront(fresh)
	if r.recent.Len() > rolesKept {
		last := r.recent.Back()
		delete(r.known, last.Value.(*narrowed).policy)
		r.recent.Remove(last)
	}
	return fresh.keys
}

// open makes the client of the token service the first time.
func (r *roles) open(ctx context.Context) (*tokenService, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.service == nil {
		service, err := newTokenService(ctx, r.cfg)
		if err != nil {
			return nil, err
		}
		r.service = service
	}
	return r.service, nil
}

func (r *roles) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.service != nil {
		r.service.close()
	}
}

// bucketKeys are a session's credentials for one bucket.
type bucketKeys struct {
	keys *renewal
	// widened says in words that they may do more than the session, "" when not.
	widened string
	err     error
}

// keysFor gives the session's credentials for a bucket. Only what the session may
// do in this bucket goes into them.
func (s *Session) keysFor(bucket string) bucketKeys {
	s.roleMu.Lock()
	defer s.roleMu.Unlock()
	if found, ok := s.roleKeys[bucket]; ok {
		return found
	}
	role := s.stores.roles.cfg
	g := grant{
		partition: role.Role.partition(), bucket: bucket, aws: role.onAWS(),
		read: inBucket(s.readGuard, bucket), erase: inBucket(s.guard, bucket), writes: s.writes, versions: s.versions,
	}
	var found bucketKeys
	policy, widened, err := g.fit(inBucket(s.stores.readable, bucket))
	if err != nil {
		found.err = &roleError{cause: err.(*Error)} //nolint:errorlint,forcetypeassert // its own error
	} else {
		found = bucketKeys{keys: s.stores.roles.narrowedTo(policy), widened: widened}
	}
	if found.widened != "" {
		s.log.Info("the keys of the role may do more than the job", slog.String("why", found.widened))
	}
	if s.roleKeys == nil {
		s.roleKeys = map[string]bucketKeys{}
	}
	s.roleKeys[bucket] = found
	return found
}

func inBucket(g *Guard, bucket string) []Location {
	var list []Location
	for _, l := range g.Locations() {
		if l.Scheme == "s3" && l.Bucket == bucket {
			list = append(list, l)
		}
	}
	return list
}

// Widened says in words where the keys of a role may do more than the session,
// since a policy for all of its folders was too long. The session itself keeps to
// its guards.
func (s *Session) Widened() []string {
	s.roleMu.Lock()
	defer s.roleMu.Unlock()
	var notes []string
	for _, k := range s.roleKeys {
		if k.widened != "" {
			notes = append(notes, k.widened)
		}
	}
	return notes
}

type sessionKey struct{}

// assuming asks for the credentials of the session that makes a request.
func assuming(bucket string) aws.CredentialsProvider {
	return renewing(func(ctx context.Context) (S3Credentials, error) {
		session, ok := ctx.Value(sessionKey{}).(*Session)
		if !ok {
			return S3Credentials{}, errors.New("a request without a session")
		}
		found := session.keysFor(bucket)
		if found.err != nil {
			return S3Credentials{}, found.err
		}
		return found.keys.get(ctx)
	})
}

// expired makes the next request to the bucket ask for other keys.
func (s *Session) expired(bucket string) {
	if s.stores.roles == nil {
		return
	}
	if found := s.keysFor(bucket); found.keys != nil {
		found.keys.drop()
	}
}
