package standin

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// policy is one that is kept; what it is attached to is in catalog.attached.
type policy struct {
	namespace []string
	name      string
	kind      string
	text      *string // description
	content   string
	version   int
}

type policyBody struct {
	Type        string  `json:"policy-type"`
	Inheritable bool    `json:"inheritable"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Content     string  `json:"content"`
	Version     int     `json:"version"`
}

func (p *policy) body() policyBody {
	return policyBody{p.kind, true, p.name, p.text, p.content, p.version}
}

func policyID(namespace []string, name string) string {
	return "PolicyIdentifier[namespace=" + strings.Join(namespace, ".") + ", name=" + name + "]"
}

func noPolicy(namespace []string, name string) error {
	return refuse(http.StatusNotFound, "NoSuchPolicyException", "Policy does not exist: %s", policyID(namespace, name))
}

func (s *Server) listPolicies(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, "LIST_POLICY", levels, ""); err != nil {
		return nil, err
	}
	wanted := q.URL.Query().Get("policyType")
	all := namesIn(s, q.catalog.policies, levels)
	if slices.Contains(PolicyTypes, wanted) { // another type is no filter
		all = slices.DeleteFunc(all, func(id identifierBody) bool {
			return q.catalog.policies[key(levels, id.Name)].kind != wanted
		})
	}
	return s.listed(q, all)
}

var policyName = regexp.MustCompile(`^[A-Za-z0-9\-_]+$`)

func (s *Server) createPolicy(q *request) (*answer, error) {
	levels := namespace(q.path[0])
	if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	var body struct {
		Name        string  `json:"name"`
		Type        *string `json:"type"`
		Description *string `json:"description"`
		Content     string  `json:"content"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	if body.Type == nil {
		return nil, misshapen()
	}
	if !policyName.MatchString(body.Name) {
		return nil, refuse(http.StatusBadRequest, "ResteasyReactiveViolationException",
			`Invalid value: createPolicy.createPolicyRequest.name: must match "^[A-Za-z0-9\-_]+$"`)
	}
	if err := q.caller.allowed(q.catalog, "CREATE_POLICY", levels, ""); err != nil {
		return nil, err
	}
	if !slices.Contains(PolicyTypes, *body.Type) {
		return nil, refuse(http.StatusBadRequest, "BadRequestException", "Unknown policy type: %s", *body.Type)
	}
	if err := checkContent(*body.Type, body.Content); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key(levels, body.Name)
	if q.catalog.policies[k] != nil {
		return nil, refuse(http.StatusConflict, "AlreadyExistsException", "Policy already exists %s", policyID(levels, body.Name))
	}
	p := &policy{levels, body.Name, *body.Type, body.Description, body.Content, 0}
	q.catalog.policies[k] = p
	return ok(map[string]any{"policy": p.body()})
}

// withPolicy runs under the lock with the policy of the path.
func (s *Server) withPolicy(q *request, op string, run func(*policy) (*answer, error)) (*answer, error) {
	levels, name := namespace(q.path[0]), q.path[1]
	if q.catalog == nil {
		return nil, noPolicy(levels, name)
	}
	s.mu.RLock()
	p := q.catalog.policies[key(levels, name)]
	s.mu.RUnlock()
	if p == nil {
		return nil, noPolicy(levels, name)
	}
	if op != "" {
		if err := q.caller.allowed(q.catalog, op, levels, ""); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return run(p)
}

func (s *Server) loadPolicy(q *request) (*answer, error) {
	return s.withPolicy(q, "LOAD_POLICY", func(p *policy) (*answer, error) {
		return ok(map[string]any{"policy": p.body()})
	})
}

func (s *Server) updatePolicy(q *request) (*answer, error) {
	var body struct {
		Description *string `json:"description"`
		Content     string  `json:"content"`
		Version     *int    `json:"current-policy-version"`
	}
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	return s.withPolicy(q, "UPDATE_POLICY", func(p *policy) (*answer, error) {
		switch {
		case body.Version == nil:
			return nil, refuse(http.StatusInternalServerError, "NullPointerException",
				`Cannot invoke "java.lang.Integer.intValue()" because the return value of "org.apache.polaris.service.types.UpdatePolicyRequest.getCurrentPolicyVersion()" is null`)
		case *body.Version != p.version:
			return nil, refuse(http.StatusConflict, "PolicyVersionMismatchException",
				"Policy version mismatch. Given version is %d, current version is %d", *body.Version, p.version)
		}
		if err := checkContent(p.kind, body.Content); err != nil {
			return nil, err
		}
		p.text, p.content = body.Description, body.Content
		p.version++
		return ok(map[string]any{"policy": p.body()})
	})
}

func (s *Server) dropPolicy(q *request) (*answer, error) {
	return s.withPolicy(q, "DROP_POLICY", func(p *policy) (*answer, error) {
		k := key(p.namespace, p.name)
		for target, names := range q.catalog.attached {
			if !slices.Contains(names, k) {
				continue
			}
			if q.URL.Query().Get("detach-all") != "true" {
				return nil, refuse(http.StatusBadRequest, "PolicyInUseException",
					"Policy %s is still attached to entities", policyID(p.namespace, p.name))
			}
			q.catalog.detach(target, k)
		}
		delete(q.catalog.policies, k)
		return noContent()
	})
}

// effective gives the policies that count for the levels of a path, the last of
// which is the target: of each type the deepest, whole. A policy found at the
// target itself is not inherited.
func (c *catalog) effective(targets []string) []applicable {
	byType := map[string]applicable{}
	for i, target := range targets {
		for _, k := range c.attached[target] {
			p := c.policies[k]
			byType[p.kind] = applicable{p.body(), i < len(targets)-1, p.namespace}
		}
	}
	all := []applicable{}
	for _, kind := range PolicyTypes {
		if a, ok := byType[kind]; ok {
			all = append(all, a)
		}
	}
	return all
}

type applicable struct {
	policyBody
	Inherited bool     `json:"inherited"`
	Namespace []string `json:"namespace"`
}

// applicablePolicies answers for the catalog, a namespace or a table. A table's
// name without a namespace counts for nothing, as on the real server, and neither
// does a page size.
func (s *Server) applicablePolicies(q *request) (*answer, error) {
	query := q.URL.Query()
	levels, name := namespace(query.Get("namespace")), query.Get("target-name")
	if q.catalog == nil {
		return nil, refuse(http.StatusInternalServerError, "IllegalStateException", "resolver_must_be_successful")
	}
	op := "GET_APPLICABLE_POLICIES_ON_CATALOG"
	targets := []string{catalogTarget}
	for i := range levels {
		op = "GET_APPLICABLE_POLICIES_ON_NAMESPACE"
		targets = append(targets, key(levels[:i+1], ""))
	}
	if len(levels) > 0 && name != "" {
		op = "GET_APPLICABLE_POLICIES_ON_TABLE"
		if _, err := s.findTable(q, levels, name); err != nil {
			return nil, err
		}
		targets = append(targets, key(levels, name))
	} else if err := q.inNamespace(levels); err != nil {
		return nil, err
	}
	if err := q.caller.allowed(q.catalog, op, levels, name); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := q.catalog.effective(targets)
	if wanted := query.Get("policyType"); slices.Contains(PolicyTypes, wanted) {
		all = slices.DeleteFunc(all, func(a applicable) bool { return a.Type != wanted })
	}
	return ok(struct {
		Next *string      `json:"next-page-token"`
		All  []applicable `json:"applicable-policies"`
	}{nil, all})
}
